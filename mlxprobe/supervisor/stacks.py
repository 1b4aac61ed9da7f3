"""Ask every process of a tree that runs the agent for its Python stacks, and read them."""

from __future__ import annotations

import linecache
import os
import re
import sys
import time
from collections.abc import Iterable
from pathlib import Path

from mlxprobe.agent.start import STACK_SIGNAL, STACKS_FILE
from mlxprobe.model import Frame, Stack

WAIT_S = 0.25  # for all processes together
QUIET_S = 0.03  # a report that stops in the middle has been preempted, or has come to its end
_THREAD = re.compile(r"^(?:Current thread|Thread) (0x[0-9a-f]+)(?: \[(.*?)\])?.*:$")
_FRAME = re.compile(r'^  File "(.+)", line (\d+) in (.+)$')
_AGENT = f"{os.sep}mlxprobe{os.sep}agent{os.sep}"
_BOTTOM = re.compile(rb'agent.__main__\.py", line \d+ in <module>\n$')  # the main thread's, which comes last
_CAUGHT = re.compile(r"^SigCgt:\s*([0-9a-f]+)$", re.MULTILINE)
_STOPPED = re.compile(r"^State:\s*[TtZ]", re.MULTILINE)


class StackFile:
    """The file that every agent of a tree writes its stacks to; kept open, for a program may delete its folder."""

    def __init__(self, folder: Path) -> None:
        self._file = (folder / STACKS_FILE).open("w+b")

    def take(self, pids: Iterable[int]) -> tuple[Stack, ...]:
        """Ask one process after the other, and return the stacks of those that answered in time."""
        deadline = time.monotonic() + WAIT_S
        found: list[Stack] = []
        for pid in filter(listens, pids):
            before = self._size()
            try:
                os.kill(pid, STACK_SIGNAL)
            except OSError:
                continue
            found += parse(self._new_text(before, deadline), pid)
            if time.monotonic() > deadline:
                break
        return tuple(found)

    def crash(self, pid: int) -> tuple[Stack, ...]:
        """Return the stacks that a fatal signal left behind."""
        text = self._since(0).decode(errors="replace")
        at = text.rfind("Fatal Python error")
        return tuple(parse(text[at:], pid)) if at >= 0 else ()

    def _new_text(self, before: int, deadline: float) -> str:
        size, grew_s = before, time.monotonic()
        while (now_s := time.monotonic()) < deadline:
            time.sleep(0.004)
            if self._size() > size:
                size, grew_s = self._size(), now_s
                if _BOTTOM.search(self._since(max(before, size - 300))):
                    break
            elif size > before and now_s - grew_s > QUIET_S:
                break
        return self._since(before).decode(errors="replace")

    def __enter__(self) -> StackFile:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def _size(self) -> int:
        return os.fstat(self._file.fileno()).st_size

    def _since(self, start: int) -> bytes:
        return os.pread(self._file.fileno(), self._size() - start, start)


def listens(pid: int) -> bool:
    """Tell whether a process can answer: one that is stopped, or has become another program, cannot."""
    try:
        status = Path(f"/proc/{pid}/status").read_text(errors="replace")
    except OSError:
        return sys.platform != "linux"
    caught = _CAUGHT.search(status)
    handled = caught is not None and int(caught[1], 16) >> (STACK_SIGNAL - 1) & 1
    return bool(handled) and not _STOPPED.search(status)


def parse(text: str, pid: int) -> list[Stack]:
    """Read faulthandler's report into stacks, the agent's own thread and frames left out."""
    stacks: list[Stack] = []
    thread, current = "", False
    frames: list[Frame] = []
    for line in [*text.splitlines(), "Thread 0x0:"]:
        if head := _THREAD.match(line):
            users = tuple(frame for frame in frames if _AGENT not in frame.file)
            sampler = any(frame.function == "sample" and _AGENT in frame.file for frame in frames)
            if users and not sampler:
                stacks.append(Stack(pid=pid, thread=thread, frames=users, current=current))
            thread, current, frames = head[2] or head[1], line.startswith("Current"), []
        elif found := _FRAME.match(line):
            file, number, function = found[1], int(found[2]), found[3]
            code = linecache.getline(file, number).strip()
            frames.append(Frame(file=file, line=number, function=function, code=code))
    return stacks
