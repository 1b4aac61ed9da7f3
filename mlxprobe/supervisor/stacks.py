"""Ask every process of a tree that runs the agent for its Python stacks, and read them."""

from __future__ import annotations

import contextlib
import linecache
import os
import re
import sys
import time
from collections.abc import Iterable
from pathlib import Path

from mlxprobe.agent.roots import AGENT, Roots
from mlxprobe.agent.shared import ASK_FILE, STACK_SIGNAL, STACKS_FILE
from mlxprobe.values.observation import Frame, Stack
from mlxprobe.values.vocabulary import Whose

WAIT_S = 0.3  # for all processes together
LAST_WAIT_S = 0.4  # when nothing is left to lose
ANSWER_S = 0.15  # for the agent's own thread, which needs the interpreter's lock
QUIET_S = 0.03  # a report that stops in the middle has been preempted, or has come to its end
LOOK_S = 0.004
_AGENT = AGENT + os.sep
_THREAD = re.compile(r"^(?:Current thread|Thread) (0x[0-9a-f]+)(?: \[(.*?)\])?.*:$")
_FRAME = re.compile(r'^  File "(.+)", line (\d+) in (.+)$')
_ESCAPED = re.compile(r"\\(?:x[0-9a-f]{2}|u(?!d[89a-f])[0-9a-f]{4}|U[0-9a-f]{8})")
_FATAL = re.compile(r"^Fatal Python error: (.*)$", re.MULTILINE)
_BOTTOM = re.compile(rb'agent.__main__\.py", line \d+ in <module>\n$')  # the main thread's, which comes last
_CAUGHT = re.compile(r"^SigCgt:\s*([0-9a-f]+)$", re.MULTILINE)
_STOPPED = re.compile(r"^State:\s*[TtZX]", re.MULTILINE)
_RUNNING = re.compile(r"\) R [^)]*$")


class StackFile:
    """The file that every agent of a tree writes its stacks to; kept open, for a program may delete its folder.

    The agent's own thread may be asked at any time. A signal may not: where it interrupts running Python code,
    faulthandler reads frames that are being changed, and one report in fifty ends the process (Python 3.11 – 3.13).
    So it is for a program whose C code holds the interpreter's lock, and for its forks, which have no such thread;
    and only when they sleep or their end is decided.
    """

    def __init__(self, folder: Path) -> None:
        self._file = (folder / STACKS_FILE).open("w+b")
        self._ask = folder / ASK_FILE
        self.roots = Roots()

    def take(self, program: int, forks: Iterable[int] = (), *, final: bool = False) -> tuple[Stack, ...]:
        """Ask one process after the other, and return the stacks of those that answered in time."""
        deadline = time.monotonic() + (LAST_WAIT_S if final else WAIT_S)
        found: list[Stack] = []
        for pid in (program, *forks):
            before = self._size()
            if not listens(pid) or time.monotonic() > deadline:
                continue
            if not (pid == program and self._answered()):
                if runs(pid) and not final:
                    continue
                signal_to(pid)
            found += parse(self._new_text(before, deadline), pid, self.roots)
        return tuple(found)

    def _answered(self) -> bool:
        """Leave a request, and return whether the agent's thread took it."""
        try:
            self._ask.touch()
            deadline = time.monotonic() + ANSWER_S
            while self._ask.exists() and time.monotonic() < deadline:
                time.sleep(LOOK_S)
            self._ask.unlink()
        except OSError:  # taken; where the program deleted the folder, whoever waits for an answer gets none
            return self._ask.parent.exists()
        return False

    def crash(self, pid: int) -> tuple[Stack, ...]:
        """Return the stacks that a fatal signal left behind."""
        text = self._since(0).decode(errors="replace")
        at = text.rfind("Fatal Python error")
        return tuple(parse(text[at:], pid, self.roots)) if at >= 0 else ()

    def fatal(self) -> str:
        """Return what the last fatal signal of any process of the tree is called; empty where there was none."""
        found = _FATAL.findall(self._since(0).decode(errors="replace"))
        return found[-1] if found else ""

    def _new_text(self, before: int, deadline: float) -> str:
        size, grew_s = before, time.monotonic()
        while (now_s := time.monotonic()) < deadline:
            time.sleep(LOOK_S)
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


def runs(pid: int) -> bool:
    """Tell whether a process is running, or waits for a processor, at three looks in a row; only Linux tells.

    At one look it may be the agent's thread, which wakes every few milliseconds to ask for the lock.
    """
    for look in range(3):
        time.sleep(look * LOOK_S / 4)
        if not _any_runs(Path(f"/proc/{pid}/task")):
            return False
    return True


def _any_runs(threads: Path) -> bool:
    try:
        return any(_RUNNING.search(status.read_text()) for status in threads.glob("*/stat"))
    except OSError:  # one has just ended
        return True


def signal_to(pid: int) -> None:
    """Signal a process, which may just have ended."""
    with contextlib.suppress(OSError):
        os.kill(pid, STACK_SIGNAL)


def parse(text: str, pid: int, roots: Roots) -> list[Stack]:
    """Read faulthandler's report into stacks, the agent's own thread and frames left out."""
    stacks: list[Stack] = []
    thread = ""
    frames: list[Frame] = []
    for line in [*text.splitlines(), "Thread 0x0:"]:
        if head := _THREAD.match(line):
            users = tuple(frame for frame in frames if not frame.file.startswith(_AGENT))
            sampler = any(frame.file == f"{_AGENT}sampler.py" for frame in frames)
            if users and not sampler:
                stacks.append(Stack(pid=pid, thread=thread, frames=users))
            thread, frames = head[2] or head[1], []
        elif found := _FRAME.match(line):
            file, number, function = _spelled(found[1]), int(found[2]), _spelled(found[3])
            code = linecache.getline(file, number).strip()
            frames.append(Frame(file=file, line=number, function=function, code=code, whose=Whose(roots.whose(file))))
    return stacks


def _spelled(text: str) -> str:
    """Put back the characters that faulthandler escapes: all that are not ASCII; what is no text stays as it is."""
    return _ESCAPED.sub(lambda found: chr(int(found[0][2:], 16)), text)
