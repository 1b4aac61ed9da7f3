"""One watched program: its warden, its pipes, and the orders to end it."""

from __future__ import annotations

import os
import selectors
import socket
import subprocess
import sys
import time
from collections import deque
from pathlib import Path
from types import TracebackType

import mlxprobe
from mlxprobe.agent.channel import FD_VARIABLE, FOLDER_VARIABLE
from mlxprobe.agent.start import DEVICE_VARIABLE
from mlxprobe.errors import ProbeError
from mlxprobe.model import Program

AGENT = Path(mlxprobe.__file__).parent / "agent" / "__main__.py"
WARDEN = Path(__file__).with_name("warden.py")
READ_BYTES = 1 << 18
OUTPUT_BYTES_PER_PUMP = 4 << 20  # a program that prints without end is slowed down, not followed
TAIL_BYTES = 16_384
START_WITHIN_S = 10.0
END_WITHIN_S = 8.0
TERM_GRACE_S = 0.3


class Child:
    """Start a program under its warden; leave nothing of it behind on exit."""

    def __init__(self, program: Program, folder: Path) -> None:
        self.started_s = time.monotonic()
        self.folder = folder
        self.pid = 0
        self.exit_code: int | None = None
        self.exited_s = 0.0
        self.empty = False
        self.left: tuple[int, ...] = ()
        self.tail: deque[bytes] = deque()
        self._tail_bytes = 0
        self._events = bytearray()
        self._control_text = ""
        self._selector = selectors.DefaultSelector()
        self._spawn(program)

    def _spawn(self, program: Program) -> None:
        control, wardens = socket.socketpair()
        events_read, events_write = os.pipe()
        output_read, output_write = os.pipe()
        for fd in (events_read, output_read, control.fileno()):
            os.set_blocking(fd, False)
        environment = os.environ | program.env
        environment[FD_VARIABLE] = str(events_write)
        environment[FOLDER_VARIABLE] = environment["TMPDIR"] = str(self.folder)
        environment["PYTHONFAULTHANDLER"] = ""
        if program.device:
            environment[DEVICE_VARIABLE] = program.device
        fds = (wardens.fileno(), events_write)
        order = [sys.executable, "-I", "-S", str(WARDEN), *map(str, fds), str(self.folder)]
        try:
            self._warden = subprocess.Popen(
                [*order, program.python, str(AGENT), *program.argv],
                stdin=subprocess.DEVNULL,
                stdout=output_write,
                stderr=output_write,
                cwd=program.cwd or self.folder,
                env=environment,
                pass_fds=fds,
                start_new_session=True,
            )
        except OSError as error:
            raise ProbeError(f"cannot start {program.name} in {program.cwd or self.folder}: {error}") from error
        finally:
            wardens.close()
            os.close(events_write)
            os.close(output_write)
        self._control, self._events_fd, self._output_fd = control, events_read, output_read
        for fd in (control.fileno(), events_read, output_read):
            self._selector.register(fd, selectors.EVENT_READ)

    @property
    def warden_pid(self) -> int:
        """The process whose descendants are the program's tree."""
        return self._warden.pid

    def pump(self, timeout_s: float) -> None:
        """Wait for at most `timeout_s` for anything to read, and read it."""
        for key, _ in self._selector.select(timeout_s):
            if key.fd == self._events_fd:
                self._drain_events()
            elif key.fd == self._output_fd:
                self._drain_output()
            else:
                self._hear_warden()

    def take_events(self) -> bytes:
        """Return the complete event lines that have come in, and forget them."""
        end = self._events.rfind(b"\n") + 1
        lines = bytes(self._events[:end])
        del self._events[:end]
        return lines

    def unfinished_events(self) -> int:
        """Return how many bytes wait for the end of their line."""
        return len(self._events)

    def output(self) -> str:
        """Return the last of what the program printed, both streams as they came."""
        return b"".join(self.tail)[-TAIL_BYTES:].decode(errors="replace")

    def end(self, *, gently: bool) -> None:
        """Take the tree down: SIGTERM first where there is reason to, then SIGKILL until nothing is left."""
        if gently and self.exit_code is None:
            self._order("term")
            self._pump_until(lambda: self.exit_code is not None, TERM_GRACE_S)
        self._order("kill")
        self._pump_until(lambda: self.empty, END_WITHIN_S)
        self.pump(0)

    def _pump_until(self, done: object, limit_s: float) -> None:
        deadline = time.monotonic() + limit_s
        while not done() and (left := deadline - time.monotonic()) > 0:  # type: ignore[operator]
            self.pump(min(left, 0.05))

    def _order(self, word: str) -> None:
        try:
            self._control.send(word.encode() + b"\n")
        except OSError:
            self.empty = True

    def _hear_warden(self) -> None:
        try:
            heard = self._control.recv(65536)
        except BlockingIOError:
            return
        except OSError:
            heard = b""
        if not heard:
            self._selector.unregister(self._control)
            self.empty = True
            return
        *lines, self._control_text = (self._control_text + heard.decode()).split("\n")
        for word, _, rest in (line.partition(" ") for line in lines):
            if word == "pid":
                self.pid = int(rest)
            elif word == "exit":
                self.exit_code, self.exited_s = int(rest), time.monotonic()
            else:
                self.empty = True
                self.left = tuple(int(pid) for pid in rest.split())

    def _drain_events(self) -> None:
        for _ in range(16):
            chunk = self._read(self._events_fd)
            if not chunk:
                return
            self._events += chunk

    def _drain_output(self) -> None:
        read = 0
        while read < OUTPUT_BYTES_PER_PUMP and (chunk := self._read(self._output_fd)):
            read += len(chunk)
            self.tail.append(chunk[-TAIL_BYTES:])
            self._tail_bytes += len(self.tail[-1])
            while self._tail_bytes - len(self.tail[0]) > TAIL_BYTES:
                self._tail_bytes -= len(self.tail.popleft())

    def _read(self, fd: int) -> bytes:
        try:
            chunk = os.read(fd, READ_BYTES)
        except BlockingIOError:
            return b""
        if not chunk:
            self._selector.unregister(fd)
        return chunk

    def __enter__(self) -> Child:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if not self.empty:
            self.end(gently=False)
        self._control.close()
        self._selector.close()
        os.close(self._events_fd)
        os.close(self._output_fd)
        try:
            self._warden.wait(END_WITHIN_S)
        except subprocess.TimeoutExpired:
            self.left += (self._warden.pid,)
