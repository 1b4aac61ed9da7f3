"""One watched program: its reaper, its pipes, and the orders to end it."""

from __future__ import annotations

import contextlib
import os
import select
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING

from mlxprobe.agent.wire.constants import (
    DEVICE_VARIABLE,
    EVENTS_FILE,
    FD_VARIABLE,
    FOLDER_VARIABLE,
    PATH_VARIABLE,
    SUPERVISOR_VARIABLE,
)
from mlxprobe.schema.errors import ProbeError
from mlxprobe.schema.program import Program
from mlxprobe.schema.texts import masked
from mlxprobe.supervisor import reaper_client
from mlxprobe.supervisor.pipes import OWN_STDERR, TAIL_BYTES, ReadEnd, tail_of, written
from mlxprobe.supervisor.spawn_request import order
from mlxprobe.supervisor.target import Target
from mlxprobe.system.kin import kin

if TYPE_CHECKING:
    import psutil

ORPHANS_END_WITHIN_S = 5.0
AGENT = Path(__file__).parents[1] / "agent" / "__main__.py"
BOOTSTRAP = AGENT.with_name("bootstrap")
END_WITHIN_S = 8.0
TERM_GRACE_S = 0.3
RIGHT = "give the path of a program, or the name of one that PATH finds"
COMMAND_CHARACTERS = 60
OUTLIVED_POLL_S = 0.1
MOST_ORPHANS = 1000  # that are reported


class Child(Target):
    """Start a program under its reaper; leave nothing of it behind on exit.

    `empty` is the reaper's word that the tree is gone; `lost` says that the reaper itself is.
    """

    def __init__(self, program: Program, folder: Path) -> None:
        super().__init__(folder, ReadEnd(folder / EVENTS_FILE if program.command else None))
        self.ends_rest = not program.terminal  # else what it leaves has our own streams, and needs no pipe of ours
        self.empty = self._outlived = False
        self.tail = b""
        self._before = written(OWN_STDERR) if program.terminal else -1  # bytes in the file that our stderr is, if any
        self._heard = ""
        self._first = (program.command or (program.python,))[0]
        self._output = ReadEnd()
        try:
            environment = self._environment(program)
            ordered = self._ordered(program, environment)
            self._reaper, self._control = self._called(program, environment)
        except (OSError, ValueError) as error:  # ValueError: a null byte in a name
            self._events.close()
            self._output.close()
            raise ProbeError(f"cannot start {program.name} in {program.cwd or folder}: {error}") from error
        finally:
            self._events.close_writing()
            self._output.close_writing()
        with contextlib.suppress(OSError):  # a reaper that is gone is found to be
            self._control.sendall(ordered)
        self._control.setblocking(False)
        self._ear = select.poll()
        self._ear.register(self._control, select.POLLIN)

    def _called(self, program: Program, environment: dict[str, str]) -> reaper_client.Reaper:
        if program.terminal and program.command and not program.cwd:
            return reaper_client.at_hand()
        output = None if program.terminal else self._output.write_fd
        return reaper_client.call(
            -1 if program.command else self._events.write_fd,
            reaper_client.inherited().descriptors if program.terminal else (),
            stdin=None if program.terminal else subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            cwd=program.cwd or (None if program.command else self.folder),
            env=environment,  # it marks what is to be swept away where the reaper cannot end it, the reaper too
            start_new_session=not program.terminal,
        )

    def _ordered(self, program: Program, environment: dict[str, str]) -> bytes:
        session = "same" if program.terminal else "own"
        words = program.command or (program.python, str(AGENT), *program.argv)
        given = reaper_client.inherited() if program.terminal else reaper_client.Inherited()
        handed = [list(map(str, numbers)) for numbers in (given.blocked, given.descriptors)]
        return order((str(self.folder), session), words, [f"{k}={v}" for k, v in environment.items()], *handed)

    def _environment(self, program: Program) -> dict[str, str]:
        environment = os.environ | dict(program.env)
        environment[FOLDER_VARIABLE] = str(self.folder)
        environment[SUPERVISOR_VARIABLE] = str(os.getpid())
        if program.device:
            environment[DEVICE_VARIABLE] = program.device
        if program.command:
            before = environment.get("PYTHONPATH")
            if before is not None:
                environment[PATH_VARIABLE] = before
            environment["PYTHONPATH"] = os.pathsep.join(part for part in (str(BOOTSTRAP), before) if part)
        else:
            environment[FD_VARIABLE] = str(self._events.write_fd)
            environment["TMPDIR"] = str(self.folder)
            environment["PYTHONFAULTHANDLER"] = ""
        return environment

    @property
    def above_pid(self) -> int:
        return self._reaper.pid

    @property
    def over(self) -> bool:
        return self.exit_code is not None

    @property
    def silenced(self) -> bool:
        return self._events.ended and self.exit_code is None

    def pump(self, timeout_s: float) -> None:
        """Wait for at most `timeout_s` for the reaper to speak, then read what the pipes hold.

        Pipes do not wake us: a program that prints or trains fast must not keep us as busy as itself.
        """
        if not (self.empty or self.lost) and self._ear.poll(1000 * timeout_s):
            self._hear_reaper()
        self._lines += self._events.read()
        printed = self._output.read()
        self.printed_bytes += len(printed)
        self.tail = (self.tail + printed)[-TAIL_BYTES:]

    def output(self) -> str:
        """Of one that has our own streams: what has come into the file that our stderr is; nothing of a terminal's."""
        return tail_of(OWN_STDERR, self._before) if self._before >= 0 else self.tail.decode(errors="replace")

    def send(self, number: int, came_s: float) -> None:
        self._tell(f"signal {int(number)} {came_s}")

    def end(self, *, gently: bool) -> None:
        if gently and self.exit_code is None:
            self._tell("term")
            self._pump_until(lambda: self.exit_code is not None, TERM_GRACE_S)
        self._tell("kill")
        self._pump_until(lambda: self.empty, END_WITHIN_S)
        if not self.empty:
            self._reaper.kill()
        if not self.empty or not kin.adopts:  # what detaches itself has escaped the reaper
            self.left = sweep(self.folder, self.pid)
            self.empty = True
        self.pump(0)

    def outlive(self) -> None:
        self._outlived = True
        with contextlib.suppress(Exception):  # what failed may fail again: the reaper waits in our place
            while not (self.over or self.lost):
                self.pump(OUTLIVED_POLL_S)
                self.take_events()

    def release(self) -> None:
        self._tell("leave")
        self._pump_until(lambda: self.empty, END_WITHIN_S)
        self.pump(0)

    def _pump_until(self, done: Callable[[], bool], limit_s: float) -> None:
        deadline = time.monotonic() + limit_s
        while not (done() or self.lost) and (left_s := deadline - time.monotonic()) > 0:
            self.pump(min(left_s, 0.025))

    def _tell(self, word: str) -> None:
        try:
            self._control.send(word.encode() + b"\n")
        except OSError:
            self.lost = True

    def _hear_reaper(self) -> None:
        try:
            heard = self._control.recv(65536)
        except OSError:
            heard = b""
        self.lost = not heard
        *lines, self._heard = (self._heard + heard.decode()).split("\n")
        for word, _, rest in (line.partition(" ") for line in lines):
            if word == "pid":
                self.pid = int(rest)
            elif word == "unstarted":
                self.unstarted = f"cannot start {self._first}: {rest}; {RIGHT}"
            elif word == "orphan":
                pid, status = rest.split()
                self.orphans.append((int(pid), int(status)))
                del self.orphans[:-MOST_ORPHANS]
            elif word == "exit":
                self.exit_code, self.exited_s = int(rest), time.monotonic()
            elif word == "running":
                self.empty = True
                self.running = tuple((int(pid), _command(int(pid))) for pid in rest.split())
            else:
                self.empty = True
                self.left = tuple(int(pid) for pid in rest.split())

    def _close(self) -> None:
        for one in (self._control, self._events, self._output):
            one.close()

    def __enter__(self) -> Child:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if isinstance(error, Exception) and not self.ends_rest:
            self.outlive()  # it is we who failed: the user's run goes on
        if self._outlived and self.over:
            self._tell("leave")
        elif not (self.empty or self._outlived):
            self.end(gently=False)
        self._tell("done")
        self._close()
        try:
            self._reaper.wait(END_WITHIN_S)
        except subprocess.TimeoutExpired:
            self.left += (self._reaper.pid,)


def _command(pid: int) -> str:
    """Return the first words of a process's command."""
    from mlxprobe.system.system import system  # what a start need not wait for

    words = " ".join(masked(system.command(pid)))
    return words if len(words) <= COMMAND_CHARACTERS else f"{words[:COMMAND_CHARACTERS]} …"


def sweep(folder: Path, session: int) -> tuple[int, ...]:
    """Kill what carries the temporary folder in its environment or is in the session; return what would not die.

    A process that detached itself, was given an empty environment and outlived its reaper is not found.
    A session that is not known is 0, which is also that of what entered a container from outside.
    """
    import psutil  # here, where it is seldom needed: it takes as long to import as a short program does to run

    deadline = time.monotonic() + ORPHANS_END_WITHIN_S
    while (living := list(_marked(str(folder), session))) and time.monotonic() < deadline:
        for process in living:
            try:
                process.kill()  # psutil makes sure that the number still means the process that was found
            except psutil.Error:
                continue
        time.sleep(0.01)
    return tuple(process.pid for process in living)


def _marked(folder: str, session: int) -> Iterator[psutil.Process]:
    import psutil

    for process in psutil.process_iter():
        try:
            if process.status() == psutil.STATUS_ZOMBIE and process.num_threads() < 2:
                continue
            if session and os.getsid(process.pid) == session:  # one whose main thread has ended has no environment
                yield process
                continue
            environment = process.environ()
            if folder in (environment.get("TMPDIR"), environment.get(FOLDER_VARIABLE)):
                yield process
        except (psutil.Error, OSError):  # ended meanwhile, or another user's
            continue
