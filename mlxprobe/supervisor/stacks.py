"""Ask every process of a tree that runs the agent for its Python stacks, and read them."""

from __future__ import annotations

import linecache
import os
import re
import time
from collections.abc import Iterable
from pathlib import Path

from mlxprobe.agent.start import STACK_SIGNAL, STACKS_FILE
from mlxprobe.model import Frame, Stack

WAIT_S = 0.15
_THREAD = re.compile(r"^(?:Current thread|Thread) (0x[0-9a-f]+)(?: \[(.*?)\])?.*:$")
_FRAME = re.compile(r'^  File "(.+)", line (\d+) in (.+)$')
_AGENT = f"{os.sep}mlxprobe{os.sep}agent{os.sep}"


def take(pids: Iterable[int], folder: Path) -> tuple[Stack, ...]:
    """Signal one process after the other and return the stacks they wrote; only agents may be signalled."""
    path = folder / STACKS_FILE
    found: list[Stack] = []
    for pid in pids:
        before = path.stat().st_size if path.exists() else 0
        try:
            os.kill(pid, STACK_SIGNAL)
        except OSError:
            continue
        found += parse(_new_text(path, before), pid)
    return tuple(found)


def crash(folder: Path, pid: int) -> tuple[Stack, ...]:
    """Return the stacks that a fatal signal left behind."""
    path = folder / STACKS_FILE
    text = path.read_text(errors="replace") if path.exists() else ""
    at = text.rfind("Fatal Python error")
    return tuple(parse(text[at:], pid)) if at >= 0 else ()


def _new_text(path: Path, before: int) -> str:
    """Wait until the file has grown and grows no more, for at most `WAIT_S`."""
    deadline = time.monotonic() + WAIT_S
    size = before
    while time.monotonic() < deadline:
        time.sleep(0.005)
        now = path.stat().st_size if path.exists() else 0
        if now > before and now == size:
            break
        size = now
    with path.open("rb") as file:
        file.seek(before)
        return file.read().decode(errors="replace")


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
