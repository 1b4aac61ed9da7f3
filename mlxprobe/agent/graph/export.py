"""Export MLX's lazy graph on a stack that is proved to be deep enough.

`mx.export_to_dot` recurses once per operation. A level takes 112 to 129 bytes of stack, and a pending operation takes
316 bytes of memory or more (MLX 0.26.5 to 0.32.4, Linux). So a stack of the size of the process's memory is enough
for any graph that the process can hold. Such a stack is an address range: only what the recursion uses takes memory.
"""

from __future__ import annotations

import io
import resource
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from mlxprobe.agent.patching.interrupts import QUIETLY, let_through
from mlxprobe.agent.wire import bound, threads
from mlxprobe.system import self_process, stack

if TYPE_CHECKING:
    from _thread import LockType as Lock

MARGIN = 2  # of the most memory so far: parts of it may be swapped out
BASE_BYTES = 1 << 24  # for the caller's own frames
GROWTH = 4  # of the need, when the main thread's stack grows


class UndrawableError(Exception):
    """No stack is deep enough to draw a graph on."""


_apart_s = [0.0]  # of processor time, on threads of ours


def spent_s() -> float:
    """Return the processor time of this thread, with that of the drawings which were made for it on other threads."""
    return bound.thread_time() + _apart_s[0]


class _Main:
    """The main thread's stack: who it was measured for, and its size."""

    of: tuple[int, int] = (0, 0)
    bytes = 0


def exported(*arrays: Any, **named: Any) -> str:
    """Draw the lazy graph behind arrays, in DOT.

    Raises:
        UndrawableError: no stack is deep enough.
    """
    import mlx.core as mx

    text = io.StringIO()
    on_a_deep_stack(lambda: mx.export_to_dot(text, *arrays, **named))
    return text.getvalue()


def on_a_deep_stack(call: Callable[[], None]) -> None:
    """Call on this thread where its stack is deep enough, else on a thread that is made for it."""
    need = needed()
    if _here(need):
        call()
    else:
        _apart(call, need)


def needed() -> int:
    """Return the stack, in bytes, that the deepest graph of this process may take."""
    most = MARGIN * self_process.peak_bytes(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
    return BASE_BYTES + int(min(most, self_process.machine_bytes() / 2))


def _here(need: int) -> bool:
    """Check that this is the main thread, and that its stack has the size; let it grow where the system allows it."""
    who = bound.getpid(), bound.get_native_id()
    if who[0] != who[1]:
        return False
    if who != _Main.of or (need > _Main.bytes > 0):
        size = 0
        with QUIETLY:
            size = stack.grown(need, GROWTH * need)
        _Main.of, _Main.bytes = who, size
    return need <= _Main.bytes


def _apart(task: Callable[[], None], need: int) -> None:
    """Call on another thread, and wait for it whatever a signal handler raises meanwhile (see `_wait`)."""
    here, may_begin, ended = bound.get_native_id(), bound.allocate_lock(), bound.allocate_lock()
    failed: list[BaseException] = []
    wanted = False

    def run() -> None:
        try:
            _elsewhere(here)  # before this waits: a green thread would wait for itself
            with may_begin:
                pass
            if wanted:
                task()
        except BaseException as error:
            failed.append(error)
        finally:
            _apart_s[0] += bound.thread_time()
            ended.release()

    may_begin.acquire()
    ended.acquire()
    try:
        try:
            _start(run, need)
            wanted = True
        finally:
            may_begin.release()
    except (RuntimeError, ValueError, MemoryError) as error:
        let_through(error)
        raise UndrawableError(f"no thread with a stack of {need >> 20} MB, which a graph may need: {error}") from error
    finally:
        if wanted:
            _wait(ended)
    if failed:
        raise failed[0]


def _start(run: Callable[[], None], stack_bytes: int) -> None:
    before = bound.stack_size()
    try:
        bound.stack_size(stack_bytes)
        threads.start(run)
    finally:
        if bound.stack_size() == stack_bytes:  # else another thread has set its own meanwhile
            bound.stack_size(before)


def _wait(ended: Lock) -> None:
    """Wait for a thread: the program must not evaluate what is being drawn.

    Raises:
        BaseException: what a signal handler has raised meanwhile.
    """
    interrupt: BaseException | None = None
    while True:
        try:
            if ended.locked():
                with ended:
                    pass
            break
        except BaseException as error:
            interrupt = interrupt or error
    try:
        if interrupt is not None:
            raise interrupt
    finally:
        interrupt = None  # its traceback holds this call, and so itself


def _elsewhere(than: int) -> None:
    if bound.get_native_id() == than:
        raise UndrawableError("this program's threads share one stack, and a graph may be deeper than that")
