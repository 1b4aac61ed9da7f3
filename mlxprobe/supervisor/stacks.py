"""Ask every process of a tree that runs the agent for its Python stacks, and read them."""

from __future__ import annotations

import contextlib
import linecache
import os
import re
import time
from collections.abc import Callable, Collection, Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from mlxprobe.agent.introspection.code_ownership import AGENT, Roots
from mlxprobe.agent.wire.constants import ASK_FILE, STACK_SIGNAL, STACKS_END, STACKS_FILE, THEIRS
from mlxprobe.schema.enums import Whose
from mlxprobe.supervisor.deadline import LOOK_S, Deadline

if TYPE_CHECKING:
    from mlxprobe.schema.observation import Frame, Stack
    from mlxprobe.system.interface import Platform

WAIT_S = 0.3  # for all processes together
LAST_WAIT_S = 0.4  # when nothing is left to lose
ANSWER_S = 0.15  # for the agent's own thread, which needs the interpreter's lock
EACH_S = 0.02  # more for every one that is asked
QUIET_LOOKS = 8  # at which a report has not grown: it has been preempted, or has come to its end
_AGENT = AGENT + os.sep
SAMPLER = os.path.join(AGENT, "lifecycle", "sampler.py")  # what the agent's own thread runs
_THREAD = r"^(?:Current thread|Thread) (0x[0-9a-f]+)(?: \[(.*?)\])?.*:$"
_FRAME = r'^  File "(.+)", line (\d+) in (.+)$'
_ESCAPED = r"\\(?:x[0-9a-f]{2}|u(?!d[89a-f])[0-9a-f]{4}|U[0-9a-f]{8})"
_FATAL = r"(?m)^Fatal Python error: (.*)$"
_BOTTOM = rb'agent.__main__\.py", line \d+ in <module>\n$'  # the main thread's, which comes last


class Stacks:
    """The stacks of every process of a tree that the agent has settled in.

    The agent's own thread may be asked at any time. A signal may not: where it interrupts running Python code,
    faulthandler reads frames that are being changed, and one report in fifty ends the process (Python 3.11 – 3.13).
    So it is for a program whose C code holds the interpreter's lock, and for its forks, which have no such thread;
    and only when they sleep or their end is decided.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._own = StackFile(folder)
        self._files: dict[int, StackFile] = {}
        self.roots = Roots()
        self.own_threads: Callable[[], Collection[str]] = set  # the agents', which answer

    def take(self, programs: Mapping[int, Iterable[int]], *, final: bool = False) -> tuple[Stack, ...]:
        """Ask processes all at once, then their forks one after the other; return the stacks of those that answered."""
        limit_s = (LAST_WAIT_S if final else WAIT_S) + EACH_S * len(programs)
        before = {pid: self.of(pid).size() for pid in programs if listens(pid)}
        answered = self._answered(before)
        deadline, signalled = Deadline(limit_s, lambda: self._are_ready(answered)), Deadline(limit_s)
        found: list[Stack] = []
        for pid in programs:
            if pid in answered:
                found += parse(self.of(pid).told(before[pid], deadline), pid, self.roots)
            elif pid in before and self._signalled(pid, final=final):
                found += parse(self.of(pid).new_text(before[pid], signalled), pid, self.roots)
            for fork in programs[pid]:
                size = self.of(pid).size()
                if signalled.left_s > 0 and listens(fork, pid) and self._signalled(fork, final=final):
                    found += parse(self.of(pid).new_text(size, signalled), fork, self.roots)
        return tuple(found)

    def _are_ready(self, pids: Iterable[int]) -> bool:
        """Check whether any agent's thread is about to answer: what it lacks is a processor, not the lock."""
        return _system().any_ready(pids, self.own_threads())

    def of(self, pid: int) -> StackFile:
        """Return the file that a process writes to: its own, or the one that it has from whom we started."""
        if pid not in self._files and (self._folder / f"{STACKS_FILE}.{pid}").exists():
            self._files[pid] = StackFile(self._folder, f".{pid}")
        return self._files.get(pid, self._own)

    def _answered(self, pids: Iterable[int]) -> set[int]:
        """Leave a request for each, and return those whose agent's thread took it."""
        left = [pid for pid in pids if self.of(pid).asks()]
        waiting = set(left)
        deadline = Deadline(ANSWER_S + EACH_S * len(left), lambda: self._are_ready(waiting))
        while waiting and deadline.lasts():
            waiting = {pid for pid in waiting if not self.of(pid).was_heard()}
        return {pid for pid in left if pid not in waiting or self.of(pid).takes_back()}

    def _signalled(self, pid: int, *, final: bool) -> bool:
        if self.of(pid).is_theirs() or (runs(pid) and not final):
            return False
        signal_to(pid)
        return True

    def crash(self, pid: int) -> tuple[Stack, ...]:
        """Return the stacks that a fatal signal left behind."""
        text = self.of(pid).text()
        at = text.rfind("Fatal Python error")
        return tuple(parse(text[at:], pid, self.roots)) if at >= 0 else ()

    def fatal(self, pid: int) -> str:
        """Return what the last fatal signal of a process, or of a fork of it, is called; empty without one."""
        found = re.findall(_FATAL, self.of(pid).text())
        return found[-1] if found else ""

    def __enter__(self) -> Stacks:
        return self

    def __exit__(self, *_: object) -> None:
        for file in (self._own, *self._files.values()):
            file.close()


class StackFile:
    """The file that an agent writes its stacks to; kept open, for a program may delete its folder."""

    def __init__(self, folder: Path, suffix: str = "") -> None:
        self._file = open(folder / f"{STACKS_FILE}{suffix}", "a+b", opener=_privately)  # noqa: SIM115
        self._ask = folder / f"{ASK_FILE}{suffix}"
        self._theirs = folder / f"{ASK_FILE}{suffix}{THEIRS}"

    def asks(self) -> bool:
        """Leave a request; return whether that could be done."""
        try:
            self._ask.touch(0o600)
        except OSError:  # the program deleted the folder: there will be no answer
            return False
        return True

    def was_heard(self) -> bool:
        """Check whether the agent's thread took the request."""
        return not self._ask.exists()

    def is_theirs(self) -> bool:
        """Check whether the program handles the signal itself: then it is not sent."""
        return self._theirs.exists()

    def takes_back(self) -> bool:
        """Take the request back; return whether it was read in this very moment."""
        try:
            self._ask.unlink()
        except OSError:
            return self._ask.parent.exists()
        return False

    def told(self, before: int, deadline: Deadline) -> str:
        """Wait for the complete answer of the agent's thread, and return it."""
        while STACKS_END not in self._since(before) and deadline.lasts():
            pass
        return self._since(before).decode(errors="replace")

    def new_text(self, before: int, deadline: Deadline) -> str:
        """Wait for a report that a signal asked for, and return it."""
        size, quiet = before, 0
        while deadline.lasts():
            quiet += 1
            if self.size() > size:
                size, quiet = self.size(), 0
                if re.search(_BOTTOM, self._since(max(before, size - 300))):
                    break
            elif size > before and quiet > QUIET_LOOKS:
                break
        return self._since(before).decode(errors="replace")

    def text(self) -> str:
        """Return all that was written."""
        return self._since(0).decode(errors="replace")

    def size(self) -> int:
        """Return how much was written."""
        return os.fstat(self._file.fileno()).st_size

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def _since(self, start: int) -> bytes:
        return os.pread(self._file.fileno(), self.size() - start, start)


def _privately(name: str, flags: int) -> int:
    return os.open(name, flags, 0o600)


def listens(pid: int, like: int = 0) -> bool:
    """Check whether a process can answer: one that is stopped, or has become another program, cannot."""
    return _system().handles(pid, STACK_SIGNAL, like)


def runs(pid: int) -> bool:
    """Check whether a process is running, or waits for a processor, in three samples in a row.

    At one look it may be the agent's thread, which wakes every few milliseconds to ask for the lock.
    """
    for look in range(3):
        time.sleep(look * LOOK_S / 4)
        if not _system().runs(pid):
            return False
    return True


def signal_to(pid: int) -> None:
    """Signal a process, which may just have ended."""
    with contextlib.suppress(OSError):
        os.kill(pid, STACK_SIGNAL)


def _system() -> Platform:
    from mlxprobe.system.system import system  # which no program's start waits for

    return system


def parse(text: str, pid: int, roots: Roots) -> list[Stack]:
    """Read faulthandler's report into stacks, the agent's own thread and frames left out."""
    from mlxprobe.schema.observation import Frame, Stack  # which no program's start waits for

    stacks: list[Stack] = []
    thread = ""
    frames: list[Frame] = []
    for line in [*text.splitlines(), "Thread 0x0:"]:
        if head := re.match(_THREAD, line):
            users = tuple(frame for frame in frames if not frame.file.startswith(_AGENT))
            sampler = any(frame.file == SAMPLER for frame in frames)
            if users and not sampler:
                stacks.append(Stack(pid=pid, thread=thread, frames=users))
            thread, frames = head[2] or head[1], []
        elif found := re.match(_FRAME, line):
            file, number, function = _spelled(found[1]), int(found[2]), _spelled(found[3])
            code = linecache.getline(file, number).strip()
            frames.append(Frame(file=file, line=number, function=function, code=code, whose=Whose(roots.whose(file))))
    return stacks


def lines_of(stacks: Iterable[Stack]) -> set[str]:
    """Return the innermost lines of threads."""
    return {stack.frames[0].code for stack in stacks if stack.frames}


def _spelled(text: str) -> str:
    """Put back the characters that faulthandler escapes: all that are not ASCII; what is no text stays as it is."""
    return re.sub(_ESCAPED, lambda found: chr(int(found[0][2:], 16)), text)
