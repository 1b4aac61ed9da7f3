"""Where MLX stands, in words, and hangs of MLX itself that others have reported: read off native stacks. Pure.

A stack's native calls are those since its innermost Python line, the innermost first.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import NamedTuple

from mlxprobe.schema.enums import Live
from mlxprobe.schema.live import LiveProcess, LiveThread, Looked, Upstream
from mlxprobe.schema.observation import Stack

MLX = ("libmlx", "mlx/core")
PLACES = (  # what is innermost decides; of one call the first row
    (r"ncclGroup|ncclAll|ncclSend|ncclRecv|ncclComm", "it waits for an NCCL peer ({name})"),
    (r"distributed::ring|ring::RingGroup|ring::SocketThread", "it waits for a peer of the ring ({name})"),
    (r"MPI_\w+|distributed::mpi", "it waits for an MPI peer ({name})"),
    (r"distributed::", "it is in a collective ({name})"),
    (r"JitCompiler|jit_compile|nvrtc", "it waits for the compiler that builds a kernel ({name})"),
    (r"compile_trace|compile_dfs|compile_simplify|compile_fuse|compile_replace|detail::compile",
     "it traces and compiles a function ({name})"),
    (r"synchronize|clear_streams", "it waits until a stream has run all that was sent to it ({name})"),
    (r"Event::wait|array::wait", "it waits for an array that a stream has not evaluated so far ({name})"),
    (r"cudaStreamSynchronize|cudaEventSynchronize|waitUntilCompleted", "it waits for the GPU ({name})"),
    (r"eval_impl", "{does} in one evaluation ({name})"),
    (r"mlx::core::vjp|mlx::core::jvp|value_and_grad", "it builds the graph of a gradient ({name})"),
    (r"take_gil|PyEval_RestoreThread|PyGILState_Ensure", "it waits for the interpreter's lock ({name})"),
)  # fmt: skip
WAITS = re.compile(r"cond_\w*wait|condition_variable.*wait|futex|psynch")


COLLECTIVE = re.compile(r"distributed::(?!.*SocketThread)|ncclAll|ncclSend|ncclRecv|MPI_\w+|RingGroup")


class _Row(NamedTuple):
    name: str
    thread: str
    message: str
    fits: Callable[[Looked], bool]


def in_mlx(stack: Stack) -> bool:
    """Check whether a thread executes MLX's own code."""
    return any(library in frame.file for frame in stack.native for library in MLX)


def standing(looked: Looked, threads: Sequence[LiveThread]) -> str:
    """Say where MLX stands; empty where no thread's native calls are known to be MLX's."""
    if looked.compiles:
        return "a compiler builds a kernel for MLX"
    every = [each for one in looked.processes if in_collective(one) for each in one.threads]
    asleep = [names for each in every if COLLECTIVE.search(" ".join(names := _names(each)))]
    inside = [_names(one) for one in threads if one.stack and in_mlx(one.stack)]
    return next(filter(None, map(_place, (*asleep, *inside))), "")


def _place(names: Sequence[str]) -> str:
    waits = any(map(WAITS.search, names[:3]))
    does = "it waits for what it has sent off" if waits else "it walks a graph and sends off its operations"
    for name in names:
        for pattern, words in PLACES:
            if re.search(pattern, name):
                return words.format(name=name.partition("(")[0], does=does)
    return ""


def in_collective(one: LiveProcess) -> bool:
    """Check whether a process waits in a collective: a thread of it has slept there all the time."""
    asleep = [each for each in one.threads if each.state == "S" and not each.switches]
    return any(COLLECTIVE.search(name) for each in asleep for name in _names(each))


def upstream(looked: Looked, state: Live) -> tuple[Upstream, ...]:
    """Return the reported hangs that a look may be one of; none of a process that does not hang."""
    if state is not Live.DEADLOCK:
        return ()
    fitting = (row for row in KNOWN if row.fits(looked))
    return tuple(Upstream(name=row.name, thread=row.thread, message=row.message) for row in fitting)


def _names(one: LiveThread) -> list[str]:
    return [frame.function for frame in (one.stack.native if one.stack else one.native)]


def _python(looked: Looked) -> list[list[str]]:
    """List the native calls of the threads that run Python and stand in MLX."""
    return [_names(each) for one in looked.processes for each in one.threads if each.stack and in_mlx(each.stack)]


def _has(names: Sequence[str], pattern: str) -> bool:
    return any(re.search(pattern, name) for name in names)


def _unsignalled(looked: Looked) -> bool:
    return any(
        _has(names[:3], WAITS.pattern) and _has(names, r"eval_impl") and not _has(names, r"Event::wait|distributed")
        for names in _python(looked)
    )


def _ring(looked: Looked) -> bool:
    """All ranks wait in one and the same call, and a thread of theirs works at what never comes."""
    waiting = [one for one in looked.processes if one.rank >= 0 and in_collective(one)]
    places = {each.stack.frames[0] for one in waiting for each in one.threads if each.stack and in_mlx(each.stack)}
    spins = any(each.cpu_s > 0 and not each.python for one in waiting for each in one.threads)
    return len(waiting) > 1 and len(places) == 1 and spins


def _ring_dead(looked: Looked) -> bool:
    ranks = [one for one in looked.processes if one.rank >= 0 and one.python]
    ended = any(in_collective(one) and not _sockets(one) for one in ranks)
    return ended and not any(each.cpu_s for one in ranks for each in one.threads)


def _sockets(one: LiveProcess) -> bool:
    """Check whether a ring's socket threads live; one that runs at the moment cannot be read."""
    return any(each.state != "S" or _has(_names(each), "SocketThread") for each in one.threads if not each.python)


def _lock(looked: Looked) -> bool:
    pattern = r"clear_streams|mlx::core::synchronize"
    return any(_has(names, pattern) and not _has(names, r"eval_impl") for names in _python(looked))


KNOWN = (
    _Row("a condition variable of eval_impl that is never signalled", "https://github.com/ml-explore/mlx-lm/issues/1834",
         "an evaluation sleeps in eval_impl for ever; seen under load with a full prompt cache", _unsignalled),
    _Row("a ring collective that never ends", "https://github.com/ml-explore/mlx/issues/4475",
         "all_sum over the ring stops in a few per cent of calls, its socket thread busy and nothing sent", _ring),
    _Row("a ring whose socket thread has ended", "https://github.com/ml-explore/mlx/issues/3862",
         "after ten failed sends or receives the thread ends, and every rank waits in Event::wait", _ring_dead),
    _Row("a stream awaited with the interpreter's lock in hand", "https://github.com/ml-explore/mlx/pull/4413",
         "synchronize or clear_streams keeps the lock that a buffer's release on the stream needs", _lock),
)  # fmt: skip
