"""Functions that run inside a Dask worker: start a process for each call, and forward its events."""

from __future__ import annotations

import math
import os
import subprocess
import sys
import time
from multiprocessing import Pipe
from multiprocessing.connection import Connection
from platform import machine
from typing import TYPE_CHECKING, Any

import mlxprobe
from mlxprobe.schema.errors import ProbeError
from mlxprobe.system import NAME

if TYPE_CHECKING:
    from distributed import Worker

LOOK_S = 0.2
END_WITHIN_S = 40.0  # the process has its own, shorter limit
UNNAMED = "unnamed"

_stopped: set[str] = set()


class LostError(ProbeError):
    """The process that carried out a call has ended without an answer."""


def about(dask_worker: Worker) -> dict[str, Any]:
    """Describe this worker: name, versions, resources."""
    return {
        "host": label(dask_worker),
        "mlxprobe": mlxprobe.__version__,
        "python": ".".join(map(str, sys.version_info[:2])),
        "system": f"{NAME} {machine()}",
        "offers": dict(dask_worker.state.total_resources),
    }


def label(worker: Worker) -> str:
    """Return the worker's name; that of one which was given none would be its address."""
    return UNNAMED if worker.name in (None, worker.address) else str(worker.name)


def stop(session: str) -> None:
    """End what a session runs here, and start no more of it."""
    _stopped.add(session)


def carry_out(session: str, version: str, order: bytes) -> bytes:
    """Carry out a call in a process of its own, and return its pickled answer.

    Raises:
        LostError: the process has ended; the call may be carried out again.
        ProbeError: this worker has another mlxprobe.
    """
    from distributed import get_worker

    here = get_worker()
    if version != mlxprobe.__version__:
        raise ProbeError(f"worker {label(here)} has mlxprobe {mlxprobe.__version__}, not {version}")
    key = str(here.get_current_task())
    ours, theirs = Pipe()
    here.log_event(session, {"what": "begun", "key": key})
    with ours, _started(theirs) as process:
        try:
            ours.send((order, label(here)))
            return _answer(here, session, key, ours)
        except (EOFError, OSError):
            raise LostError(f"a process of worker {label(here)} ended before its programs") from None
        finally:
            ours.close()  # ends the process, if it still runs
            _reaped(process)


def _started(theirs: Connection) -> subprocess.Popen[bytes]:
    """Start the process, in a session of its own: a worker in a terminal gets Ctrl-C, and ends it in its own way."""
    with theirs:
        return subprocess.Popen(
            [sys.executable, "-m", "mlxprobe", "cell", str(theirs.fileno())],
            stdin=subprocess.DEVNULL,
            pass_fds=(theirs.fileno(),),
            env=as_started(dict(os.environ)),
            start_new_session=True,
        )


def as_started(environment: dict[str, str]) -> dict[str, str]:
    """Remove the limits that Dask's nanny sets for its workers: programs may use all threads and memory."""
    import dask

    added = dask.config.get("distributed.nanny.pre-spawn-environ", {})
    return {name: value for name, value in environment.items() if str(added.get(name)) != value}


def _answer(here: Worker, session: str, key: str, line: Connection) -> bytes:
    """Forward the process's events, and the order to stop, until it has an answer."""
    until_s = math.inf
    while time.monotonic() < until_s:
        if line.poll(LOOK_S):
            kind, what = line.recv()
            if kind == "done":
                return bytes(what)
            here.log_event(session, what | {"host": label(here)})
        if until_s == math.inf and (session in _stopped or _is_taken_back(here, key)):
            until_s = time.monotonic() + END_WITHIN_S
            line.send("stop")
    raise EOFError


def _is_taken_back(here: Worker, key: str) -> bool:
    """Return whether the client has cancelled the call, or has disconnected."""
    task = here.state.tasks.get(key)
    return task is None or task.state == "cancelled"


def _reaped(process: subprocess.Popen[bytes]) -> None:
    try:
        process.wait(END_WITHIN_S)
    except subprocess.TimeoutExpired:
        process.kill()
