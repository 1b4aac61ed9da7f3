"""The agent in a process that the environment carried it into: it comes with MLX, and leaves with the program."""

from __future__ import annotations

import atexit
import fcntl
import os
import sys
import threading
from types import TracebackType
from typing import Any

from mlxprobe.agent import sites, start, tracing
from mlxprobe.agent.channel import Channel, identity, lifted
from mlxprobe.agent.shared import EVENTS_FILE, FOLDER_VARIABLE, OWN_VARIABLES, PATH_VARIABLE, SUPERVISOR_VARIABLE

OWNER_FILE = "owner"
CARRIED = os.path.join(os.path.dirname(os.path.abspath(__file__)), "carried")
OURS = os.path.dirname(os.path.abspath(__file__)) + os.sep


class NamedChannel(Channel):
    """A channel that can be opened again, by its name, where the program has closed it."""

    def __init__(self, file: str) -> None:
        self._file = file
        super().__init__(_opened(file))

    def _write(self, line: bytes, *, patient: bool) -> bool:
        if not self._is_open():
            self._fd = _opened(self._file)
            self._pipe = identity(self._fd)
        return super()._write(line, patient=patient)

    def _is_open(self) -> bool:
        try:
            return identity(self._fd) == self._pipe
        except OSError:
            return False


def _opened(file: str) -> int:
    return lifted(os.open(file, os.O_WRONLY | os.O_NONBLOCK))


def settle(mx: Any) -> None:
    """Set the agent up, as MLX has just been imported, in the first process that does so."""
    folder = os.environ.get(FOLDER_VARIABLE, "")
    tracing.allow(os.environ.pop(SUPERVISOR_VARIABLE, ""))
    _restore_environment()
    try:
        channel = NamedChannel(os.path.join(folder, EVENTS_FILE))
    except OSError:  # the supervisor is gone
        return
    if not _claims(os.path.join(folder, OWNER_FILE)):
        for name in OWN_VARIABLES:
            os.environ.pop(name, None)
        nowhere = sites.told(sites.NOWHERE)
        channel.send("fact", name="another process", step=0, **nowhere, count=1, detail={"pid": os.getpid()})
        return
    agent = start.Agent(channel, folder)
    _show_tracebacks_without_us()
    agent.hook_core(mx)
    channel.send("begin")
    channel.send("body")
    atexit.register(_finish, agent)


def _claims(file: str) -> bool:
    """Tell whether this process is the one to watch: the first that imports MLX, also after an `os.exec` of its own."""
    try:
        with open(file, "a+") as owner:
            fcntl.flock(owner, fcntl.LOCK_EX)
            owner.seek(0)
            before = owner.read()
            if not before:
                owner.write(str(os.getpid()))
    except OSError:
        return False
    return before in ("", str(os.getpid()))


def _restore_environment() -> None:
    """Leave the environment as it would be without us: what the program starts is not ours to watch."""
    before = os.environ.pop(PATH_VARIABLE, None)
    os.environ.pop(FOLDER_VARIABLE, None)
    now = os.environ.get("PYTHONPATH", "").split(os.pathsep)
    if CARRIED in now:  # else the program has set its own
        now.remove(CARRIED)
        os.environ["PYTHONPATH"] = os.pathsep.join(now)
        if before is None and not now:
            del os.environ["PYTHONPATH"]


def _show_tracebacks_without_us() -> None:
    """Take our wrappers' frames out of the tracebacks that Python prints at the end of the program or of a thread."""
    shown, shown_of_thread = sys.excepthook, threading.excepthook

    def show(kind: type[BaseException], error: BaseException, trace: Any) -> None:
        _cut(error)
        shown(kind, error, error.__traceback__ if error is not None else trace)

    def show_of_thread(args: Any) -> None:
        _cut(args.exc_value)
        shown_of_thread(args)

    sys.excepthook, threading.excepthook = show, show_of_thread


def _cut(error: BaseException | None) -> None:
    """Cut our frames out of an exception and of those that led to it."""
    done: set[int] = set()
    todo = [error]
    while todo:
        one = todo.pop()
        if one is not None and id(one) not in done:
            done.add(id(one))
            one.__traceback__ = _cut_trace(one.__traceback__)
            todo += [one.__cause__, one.__context__, *getattr(one, "exceptions", ())]


def _cut_trace(trace: TracebackType | None) -> TracebackType | None:
    kept: list[TracebackType] = []
    while trace is not None:
        if not trace.tb_frame.f_code.co_filename.startswith(OURS):
            kept.append(trace)
        trace = trace.tb_next
    for one, following in zip(kept, [*kept[1:], None], strict=True):
        one.tb_next = following
    return kept[0] if kept else None


def _finish(agent: start.Agent) -> None:
    """The interpreter ends: after its last line, an exception that nobody caught, or `sys.exit`."""
    if os.getpid() != agent.pid:
        return
    agent.recorder.finish()
    error = getattr(sys, "last_exc", None) or getattr(sys, "last_value", None)
    if isinstance(error, BaseException):
        start.send_exception(error, agent.channel)
    else:
        agent.channel.send("end")
