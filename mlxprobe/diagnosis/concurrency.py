"""Findings about processes and threads."""

from __future__ import annotations

import signal
from collections.abc import Iterator, Sequence

from msgspec.structs import replace

from mlxprobe.diagnosis.ranks.rank_status import thread_ended, worker_ended
from mlxprobe.protocol.facts.processes import ArrayOfAnotherThread, ChildEnded, Fork, Forked
from mlxprobe.rules.registry import finding, rule, seen_at
from mlxprobe.schema.enums import HangKind, Whose
from mlxprobe.schema.metrics import counted, standing, standing_frame, standing_thread, told_place, where
from mlxprobe.schema.observation import Observation, Stack
from mlxprobe.schema.record import Finding

THREADS = 2  # besides the main one, that are named
FILL = (
    "compare the number of items that are put into this queue with the number taken from it; `get(timeout=60)` raises "
    "`queue.Empty` instead of waiting for ever"
)


@finding("MP601", "fork-after-eval")
def fork_after_eval(seen: Observation) -> Iterator[Finding]:
    """A forked process evaluates MLX arrays, and its parent had evaluated some before the fork.

    A forked child has MLX's locks and queues but none of the threads that serve them: its first evaluation waits
    for ever (CPU) or ends it with SIGSEGV (CUDA). A child that uses NumPy alone, or that executes another program, has
    no such problem.

    Example: `multiprocessing.get_context("fork").Process(...)` after an evaluation, with a target that evaluates.

    Use instead: `multiprocessing.get_context("spawn")`, or fork before MLX evaluates anything.
    """
    forks = [*seen.every(Fork)]
    for first, at in forks[:1]:
        count = first.evaluations
        evaluates = f"a forked process evaluates MLX arrays (at {first.at or 'an unknown line'})"
        more = f"; {len(forks)} forked processes do" if len(forks) > 1 else ""
        message = f"{evaluates} after {count} {'evaluation' if count == 1 else 'evaluations'} in its parent{more}"
        yield rule("MP601").at(message, at.file, at.line, evaluations=count, forks=len(forks))
    if not forks:
        yield from _crashed_forks(seen)


def _crashed_forks(seen: Observation) -> Iterator[Finding]:
    """Report a forked process that crashed before it could evaluate: on CUDA its first operation does that."""
    ended = {fact.pid: fact.status for fact, _ in seen.every(ChildEnded)}
    crashed = [(fact, at) for fact, at in seen.every(Forked) if ended.get(fact.pid) == -signal.SIGSEGV]
    for fact, at in crashed[:1]:
        message = f"a process that was forked after {counted(fact.evaluations, 'evaluation')} on a GPU ended by SIGSEGV"
        yield rule("MP601").at(message, at.file, at.line, evaluations=fact.evaluations, forks=len(crashed))


@finding("MP602", "array-crosses-threads")
def array_crosses_threads(seen: Observation) -> Iterator[Finding]:
    """An unevaluated array is evaluated by another thread than the one that made it.

    Streams belong to threads, on Metal from MLX 0.31.2 and on the CPU from 0.32.0: the evaluation raises
    `There is no Stream ... in current thread`.

    Example: a loader thread that queues `mx.array(...) + 1` unevaluated.

    Use instead: evaluate arrays in the thread that makes them, before another uses them: `mx.eval(batch)`,
    `mx.eval(model.parameters())`.
    """
    message = "a lazy array is evaluated by another thread than its own"
    for fact, at in seen.facts(ArrayOfAnotherThread):
        yield rule("MP602").at(message + seen_at(fact), at.file, at.line)
    raised = seen.raised
    if not seen.has(ArrayOfAnotherThread) and raised is not None and "There is no Stream" in raised.message:
        yield rule("MP602").at(message, raised.file, raised.line)


@finding("MP603", "deadlock")
def deadlock(seen: Observation) -> Iterator[Finding]:
    """There is no progress, no CPU is used, and no stack changes.

    Every process of the tree waits for something that does not come.

    Example: a forked child that evaluates, while its parent waits for it.

    Use instead: a finding beside it, where there is one, is the cause; else the stacks show who waits where. A lock
    that a thread holds already does not open to it again, unless it is an `RLock`. A thread that has ended by an
    exception puts nothing more into its queue: catch it there, and hand it on.
    """
    silence = seen.silence
    if silence is not None and silence.kind is HangKind.DEADLOCK:
        ended = f"{thread_ended(seen)}{worker_ended(seen)}"
        found = rule("MP603").at(
            f"nothing has moved for {silence.silent_s:.1f} s {where(seen)}{_beside(silence.stacks)}{ended}",
            *standing(seen),
            silent_s=silence.silent_s,
        )
        frame = standing_frame(silence.stacks)
        yield replace(found, instead=FILL) if frame is not None and ".get()" in frame.code and not ended else found


def _beside(stacks: Sequence[Stack]) -> str:
    """Name where other threads stand in a line of the user's own, those that have come furthest first."""
    main = standing_thread(stacks)
    others = [one for one in stacks if main is not None and one is not main and one.pid == main.pid and one.frames]
    stand = [one for one in others if one.frames[0].whose is Whose.OWN]
    stand.sort(key=lambda one: -sum(frame.whose is Whose.OWN for frame in one.frames))
    places = dict.fromkeys(told_place(one.frames[0], None) for one in stand)
    return "".join(f"; another thread is {one}" for one in list(places)[:THREADS])
