"""A process next to a cluster's worker: it carries out one call, reports on its programs, and ends with the worker.

A process of its own, because programs are watched in threads that must not wait for the worker's, the worker must
answer its scheduler meanwhile, and programs must end with the worker.
"""

from __future__ import annotations

import os
import pickle
import threading
import time
import traceback
from multiprocessing.connection import Connection
from typing import Any

import msgspec

from mlxprobe.cluster import serialization
from mlxprobe.cluster.executor import environment_here
from mlxprobe.runner.runner import Runner
from mlxprobe.schema.errors import ProbeError
from mlxprobe.schema.observation import Environment
from mlxprobe.schema.record import ProgramRecord
from mlxprobe.settings.table import Settings

END_WITHIN_S = 30.0  # once the answer is not wanted any more
REPORT_EVERY_S = 0.5


class WorkerConnection:
    """The connection to the worker, which several threads share."""

    def __init__(self, fd: int) -> None:
        self._connection = Connection(fd)
        self._lock = threading.Lock()
        self.stop = threading.Event()

    def receive(self) -> Any:
        return self._connection.recv()

    def send(self, kind: str, what: Any) -> None:
        with self._lock:
            self._connection.send((kind, what))

    def listen(self) -> None:
        """Wait for the order to stop, or for the worker's end; then end this process within a time limit."""
        try:
            self._connection.recv()
        except (EOFError, OSError):
            pass
        self.stop.set()
        time.sleep(END_WITHIN_S)
        os._exit(1)


class ProgressReporter:
    """Report programs to the worker; of each at most one sign of progress every half second."""

    def __init__(self, line: WorkerConnection) -> None:
        self._line = line
        self._next_s: dict[str, float] = {}

    def started(self, name: str) -> None:
        self._line.send("told", {"what": "started", "name": name})

    def moved(self, name: str, what: str) -> None:
        if (now_s := time.monotonic()) >= self._next_s.get(name, 0.0):
            self._next_s[name] = now_s + REPORT_EVERY_S
            self._line.send("told", {"what": "moved", "name": name, "does": what})

    def ended(self, name: str, row: ProgramRecord) -> None:
        self._line.send("told", {"what": "ended", "name": name, "row": msgspec.json.encode(brief(row)).decode()})


def brief(row: ProgramRecord) -> ProgramRecord:
    """Return the part of a row that is reported while others still run: no series, no stacks."""
    kept = ("outcome", "reason", "as_expected", "program", "scenario", "variant", "kind", "repeats", "host")
    return ProgramRecord(findings=(), **{name: getattr(row, name) for name in kept})


def serve(fd: int) -> None:
    """Carry out the call that the worker hands over on a descriptor."""
    line = WorkerConnection(fd)
    order, host = line.receive()
    threading.Thread(target=line.listen, daemon=True).start()
    try:
        answer: tuple[bool, Any] = True, _carry_out(order, host, line)
    except ProbeError as error:
        answer = False, error
    except Exception as error:
        traceback.print_exc()  # into the worker's log
        answer = False, ProbeError(f"{type(error).__name__} on worker {host}, whose log has more: {error}")
    line.send("done", pickle.dumps(answer))


def _carry_out(order: bytes, host: str, line: WorkerConnection) -> Any:
    def runner(settings: Settings, environment: Environment, label: str) -> Runner:
        return Runner(settings, environment, ProgressReporter(line), line.stop, label, host=host)

    finders: dict[str, serialization.Finder] = {
        "runner": runner,
        "environment": environment_here,
        "scenario": serialization.scenario,
        "stop": lambda: line.stop,
    }
    call, words = serialization.unpack(order, finders)
    return call(*words)
