"""Where MLX stands, in words, and hangs of MLX itself that others have reported: read off native stacks. Pure.

A stack's native calls are those since its innermost Python line, the innermost first.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import NamedTuple

from mlxprobe.values.live import LiveProcess, LiveThread, Looked, Upstream
from mlxprobe.values.observation import Stack
from mlxprobe.values.vocabulary import Live

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


class _Row(NamedTuple):
    name: str
    thread: str
    message: str
    fits: Callable[[LiveProcess, Sequence[str], Live], bool]


def in_mlx(stack: Stack) -> bool:
    """Tell whether a thread stands in MLX's own code."""
    return any(library in frame.file for frame in stack.native for library in MLX)


def standing(looked: Looked, threads: Sequence[LiveThread]) -> str:
    """Say where MLX stands; empty where no thread's native calls are known to be MLX's."""
    if looked.compiles:
        return "a compiler builds a kernel for MLX"
    stacks = [one.stack for one in threads if one.stack and in_mlx(one.stack)]
    return next(filter(None, (_place(stack) for stack in stacks)), "")


def _place(stack: Stack) -> str:
    names = [frame.function for frame in stack.native]
    waits = any(map(WAITS.search, names[:3]))
    does = "it waits for what it has sent off" if waits else "it walks a graph and sends off its operations"
    for name in names:
        for pattern, words in PLACES:
            if re.search(pattern, name):
                return words.format(name=name.partition("(")[0], does=does)
    return ""


def upstream(looked: Looked, state: Live) -> tuple[Upstream, ...]:
    """Return the reported hangs that a look may be one of."""
    return tuple(
        Upstream(name=row.name, thread=row.thread, message=row.message)
        for row in KNOWN
        if any(row.fits(one, _names(one), state) for one in looked.processes)
    )


def _names(process: LiveProcess) -> list[str]:
    return [frame.function for one in process.threads if one.stack for frame in one.stack.native]


def _has(names: Sequence[str], pattern: str) -> bool:
    return any(re.search(pattern, name) for name in names)


def _unsignalled(_: LiveProcess, names: Sequence[str], state: Live) -> bool:
    waits = _has(names, WAITS.pattern) and _has(names, r"eval_impl") and not _has(names, r"Event::wait|distributed")
    return state is Live.DEADLOCK and waits


def _ring(process: LiveProcess, names: Sequence[str], state: Live) -> bool:
    spins = process.cpu_share > 0.0 and state is not Live.ALIVE
    return _is_ring(process, names) and spins and state is not Live.IDLE


def _ring_dead(process: LiveProcess, names: Sequence[str], state: Live) -> bool:
    return _is_ring(process, names) and not process.cpu_share and state is Live.DEADLOCK


def _is_ring(process: LiveProcess, names: Sequence[str]) -> bool:
    return process.rank >= 0 and bool(process.connections) and _has(names, r"Event::wait|array::wait|ring::")


def _lock(_: LiveProcess, names: Sequence[str], state: Live) -> bool:
    waits = _has(names, r"clear_streams|mlx::core::synchronize")
    return state is Live.DEADLOCK and waits and not _has(names, r"eval_impl")


KNOWN = (
    _Row("a condition variable of eval_impl that nobody signals", "https://github.com/ml-explore/mlx-lm/issues/1834",
         "an evaluation sleeps in eval_impl for ever; seen under load with a full prompt cache", _unsignalled),
    _Row("a ring collective that never ends", "https://github.com/ml-explore/mlx/issues/4475",
         "all_sum over the ring stops in a few per cent of calls, its socket thread busy and nothing sent", _ring),
    _Row("a ring whose socket thread has ended", "https://github.com/ml-explore/mlx/issues/3862",
         "after ten failed sends or receives the thread ends, and every rank waits in Event::wait", _ring_dead),
    _Row("a stream awaited with the interpreter's lock in hand", "https://github.com/ml-explore/mlx/pull/4413",
         "synchronize or clear_streams keeps the lock that a buffer's release on the stream needs", _lock),
)  # fmt: skip
