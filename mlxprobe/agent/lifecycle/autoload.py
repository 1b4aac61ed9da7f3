"""The agent in a process that the environment carried it into: it comes with MLX, and leaves with the program."""

from __future__ import annotations

import builtins
import contextlib
import os
import sys
import threading
from collections.abc import Mapping
from types import ModuleType, TracebackType
from typing import Any

from mlxprobe.agent.hooks.threads import POOL
from mlxprobe.agent.introspection.code_ownership import AGENT
from mlxprobe.agent.lifecycle import main
from mlxprobe.agent.lifecycle.agent import Agent
from mlxprobe.agent.lifecycle.child_exits import HOLDERS
from mlxprobe.agent.lifecycle.exit_status import Leaving, last_shown
from mlxprobe.agent.patching import import_hooks
from mlxprobe.agent.patching.interrupts import Quietly
from mlxprobe.agent.patching.patches import Patches
from mlxprobe.agent.patching.signatures import like
from mlxprobe.agent.patching.temporary_patches import Loans
from mlxprobe.agent.wire import bound
from mlxprobe.agent.wire.channel import Channel, identity, lifted
from mlxprobe.agent.wire.constants import EVENTS_FILE, FOLDER_VARIABLE, SUPERVISOR_VARIABLE
from mlxprobe.system import self_process

OURS = AGENT + os.sep
GROUP: Any = getattr(builtins, "BaseExceptionGroup", ())  # since Python 3.11


class NamedChannel(Channel):
    """A channel that can be opened again, by its name, where the program has closed it."""

    def __init__(self, file: str) -> None:
        self._file = file
        super().__init__(_opened(file), tag=bound.getpid())

    def _write(self, line: bytes, *, patient: bool) -> bool:
        if not self._is_open():
            self._fd = _opened(self._file)
            self._pipe = identity(self._fd)
        return super()._write(line, patient=patient)

    def close(self) -> None:
        """Send nothing any more, and never open it again."""
        self._file = ""
        super().close()

    def _is_open(self) -> bool:
        with Quietly(OSError):
            return identity(self._fd) == self._pipe
        return False


def _opened(file: str) -> int:
    return lifted(bound.open_file(file, os.O_WRONLY | os.O_NONBLOCK))


def settle(given: Mapping[str, str]) -> None:
    """Watch this process, which is about to import MLX; `given` are our variables (see `lineage`)."""
    folder = given.get(FOLDER_VARIABLE, "")
    self_process.allow_tracing(given.get(SUPERVISOR_VARIABLE, ""))
    try:
        channel = NamedChannel(os.path.join(folder, EVENTS_FILE))
    except OSError:  # the supervisor is gone
        return
    patches = Patches()
    import_hooks.surround(patches.noted)
    with patches.noted(*holders()):
        agent = Agent(channel, folder, given)
        show_tracebacks_without_us()

    def begin(mx: Any) -> None:
        agent.hook_core(mx)
        channel.send("begin")
        channel.send("body")
        with agent.recorder.carefully(), patches.noted(sys):
            bound.at_exit(end, agent, patches, Leaving(agent.recorder))  # before MLX's own, which was registered first

    import_hooks.when_imported("mlx.core", begin)


def holders() -> list[ModuleType]:
    """Return the modules of Python in which the agent replaces functions, as far as they are imported."""
    return [os, sys, threading, *(sys.modules[name] for name in (*HOLDERS, POOL) if name in sys.modules)]


def show_tracebacks_without_us() -> None:
    """Take our wrappers' frames out of the tracebacks that Python prints.

    At the end of the program or of a thread, or of what `atexit` and the collector of garbage call.
    """
    shown, shown_of_thread, shown_of_ignored = sys.excepthook, threading.excepthook, sys.unraisablehook

    @like(shown)
    def show(kind: type[BaseException], error: BaseException, trace: Any) -> None:
        with contextlib.suppress(Exception):  # exceptions of any kind
            cut(error)
        shown(kind, error, error.__traceback__ if error is not None else trace)

    @like(shown_of_thread)
    def show_of_thread(args: Any) -> None:
        with contextlib.suppress(Exception):
            cut(args.exc_value)
        shown_of_thread(args)

    @like(shown_of_ignored)
    def show_ignored(args: Any) -> None:
        try:
            cut(args.exc_value)
            if args.exc_traceback is not None:
                own = args.exc_type, args.exc_value, args.exc_value.__traceback__, args.err_msg, args.object
                args = type(args)(own)
        except Exception:  # also at the very end, when nothing of ours is there any more
            pass
        shown_of_ignored(args)

    sys.excepthook, threading.excepthook, sys.unraisablehook = show, show_of_thread, show_ignored


def cut(error: BaseException | None) -> None:
    """Cut our frames out of an exception and of those that led to it."""
    done: set[int] = set()
    todo = [error]
    while todo:
        one = todo.pop()
        if one is not None and id(one) not in done:
            done.add(id(one))
            one.__traceback__ = _cut_trace(one.__traceback__)
            todo += [one.__cause__, one.__context__, *(one.exceptions if isinstance(one, GROUP) else ())]


def _cut_trace(trace: TracebackType | None) -> TracebackType | None:
    kept: list[TracebackType] = []
    while trace is not None:
        if not trace.tb_frame.f_code.co_filename.startswith(OURS):
            kept.append(trace)
        trace = trace.tb_next
    for one, following in zip(kept, [*kept[1:], None], strict=True):
        one.tb_next = following
    return kept[0] if kept else None


def end(agent: Agent, patches: Patches, leaving: Leaving) -> None:
    """The interpreter ends: after its last line, an uncaught exception, or `sys.exit`.

    What is still wrapped would hold the program's objects, which Python frees now: files that were never closed are
    written then, and `__del__` runs.
    """
    try:
        finish(agent, leaving)
        with agent.recorder.carefully():
            release(agent, patches)
            leaving.undo()
    except BaseException:  # of a signal handler of the program's, which nothing outside of this call could catch
        with contextlib.suppress(BaseException):
            _say_goodbye(agent, leaving)


def finish(agent: Agent, leaving: Leaving | None = None) -> None:
    """Send what is known at the end of the process, and its exit code; nothing in a fork."""
    if bound.getpid() != agent.pid:
        return
    with agent.recorder.carefully():
        agent.recorder.finish()
    with agent.recorder.carefully():
        agent.wait_for_ending()
    with agent.recorder.carefully():
        _say_goodbye(agent, leaving)


def _say_goodbye(agent: Agent, leaving: Leaving | None) -> None:
    """Send the last word: the exception that ends the program, or its exit code."""
    if bound.getpid() != agent.pid:
        return
    error = leaving.error if leaving is not None else last_shown()
    if isinstance(error, BaseException):
        main.send_exception(error, agent.channel)
    else:
        agent.channel.send("end", code=leaving.code if leaving is not None else None)


def release(agent: Agent, patches: Patches) -> None:
    """Put back what was replaced, and keep nothing of the program's."""
    Loans.close()
    patches.undo()
    import_hooks.forget()
    agent.release()
