"""What became of each rank of a run, and how a report calls it: pure."""

from __future__ import annotations

import re
import signal
import statistics
from collections.abc import Iterable, Sequence
from pathlib import PurePath

import msgspec

from mlxprobe.diagnosis.ranks.collective_alignment import rank_of
from mlxprobe.protocol.facts.processes import ChildEnded, ThreadEnded
from mlxprobe.protocol.facts.ranks import AskedToLeave, Rounds
from mlxprobe.rules.registry import rule
from mlxprobe.schema.enums import Severity
from mlxprobe.schema.from_record import died_importing
from mlxprobe.schema.metrics import counted, duration, signal_name, steps_done, where
from mlxprobe.schema.observation import Collective, Observation, Place
from mlxprobe.schema.record import Finding

PEER_LOST = re.compile(r"connection to a peer was lost|nccl.*error", re.IGNORECASE | re.DOTALL)  # as MLX words it
ENDED_BY_OTHERS = {-signal.SIGTERM, -signal.SIGINT, 128 + signal.SIGTERM, 128 + signal.SIGINT}
STANDING = {"stalled", "timeout"}
BUSY = 0.5  # of a processor
OUTDOES = 1.5


def waits(seen: Observation) -> bool:
    """Tell whether a rank stands in an evaluation of a run that does not go on."""
    return seen.ended in STANDING and seen.evaluating_s is not None and seen.silence is not None and not over(seen)


def cut_off(seen: Observation) -> bool:
    """Tell whether a rank failed because of another."""
    return seen.raised is not None and bool(PEER_LOST.search(f"{seen.raised.type} {seen.raised.message}"))


def stopped(seen: Observation) -> bool:
    """Tell whether a rank cannot go on because of another."""
    return waits(seen) or cut_off(seen)


def over(seen: Observation) -> bool:
    """Tell whether a rank came to its end by itself, and found that right."""
    return (seen.finished and (seen.exit_code or 0) <= 0) or (seen.ended == "exited" and seen.exit_code == 0)


def lost(seen: Observation) -> str:
    """Say how a rank died by itself; empty where it did not, or was ended by who ended all."""
    raised, code = seen.raised, seen.exit_code
    if cut_off(seen) or over(seen):
        return ""
    if raised is not None and raised.type != "KeyboardInterrupt":
        return f"raised {raised.type}: {raised.message.splitlines()[0] if raised.message else ''}".rstrip(": ")
    if seen.ended != "exited" or code in ENDED_BY_OTHERS:
        return ""
    when = " while it imported MLX" if died_importing(seen) else ""
    if code is None:
        return "is gone without a word" if seen.begun else when and f"is gone{when}"
    return f"was ended by {signal_name(-code)}{when}" if code < 0 else f"left with exit code {code}"


def thread_ended(seen: Observation) -> str:
    """Say which thread has ended by an exception, the last one."""
    for fact, at in reversed([*seen.every(ThreadEnded)]):
        place = f" at {PurePath(at.file).name}:{at.line}" if at.file else ""
        return f"; the thread {fact.thread} has ended{place}: {fact.type}: {fact.message}"
    return ""


def skipping(seen: Observation) -> str:
    """Name the step in which a rank computed more gradients than in any other."""
    counts = [one.gradients for one in seen.steps]
    usual = statistics.mode(counts) if counts else 0
    step = next((one for one in seen.steps if one.gradients > usual), None)
    return f"; its step {step.n} computed gradients {step.gradients} times, not {usual}" if step and usual else ""


def worker_ended(seen: Observation) -> str:
    """Say which worker has ended badly, and nobody has asked for it; the last one."""
    for fact in reversed([fact for fact, _ in seen.every(ChildEnded) if fact.name]):
        code = fact.status
        how = f"was ended by {signal_name(-code)}" if code < 0 else f"has left with exit code {code}"
        return f"; its process {fact.name} {how}"
    return ""


def asked_to_leave(seen: Observation) -> tuple[str, int]:
    """Return the line that called `sys.exit` last; nowhere where none did, or the rank went on after it."""
    *_, last = (None, *(at for _, at in seen.every(AskedToLeave)))
    return (last.file, last.line) if last and last.step >= steps_done(seen) - 1 else ("", 0)


def fewer_rounds(seen: Observation) -> str:
    """Say by which lines a rank may have come to fewer rounds of the loops around its gradient call."""
    file, number = asked_to_leave(seen)
    if file:
        return f"it called `sys.exit` at {line(Place(file=file, line=number))}"
    for fact, _ in seen.every(Rounds):
        ways = {
            "a round of its loop can be left out at": fact.skipped,
            "its loop can be left at": fact.left,
            "the rounds of its loop are made at": fact.made,
        }
        return joined(*(f"{words} {' and '.join(lines)}" for words, lines in ways.items() if lines))
    return ""


def cut_short(seen: Observation) -> bool:
    """Tell whether others ended a rank, as a launcher does where one fails: what it has not built says nothing."""
    gone = seen.ended in ("exited", "abandoned")
    return gone and not over(seen) and not cut_off(seen) and not lost(seen)


def busy(seen: Observation, beside: Observation | None = None) -> bool:
    """Tell whether a rank computed while nothing was heard of any.

    A ring spins while it waits: to use no more than another that surely waits, `beside` it, proves nothing.
    """
    used = _processors(seen)
    return used > BUSY and (beside is None or used > OUTDOES * _processors(beside))


def _processors(seen: Observation) -> float:
    """Return how many processors a rank used while nothing was heard of any; 0 where nobody knows."""
    if seen.silence is None or len(seen.samples) < 2:
        return 0.0
    last = seen.samples[-1]
    since = [one for one in seen.samples if one.t_s >= last.t_s - seen.silence.silent_s]
    past_s = last.t_s - since[0].t_s
    used_s = last.own_s - since[0].own_s if since[0].own_s else last.cpu_s - since[0].cpu_s
    return used_s / past_s if past_s > 0 else 0.0


def pending(one: Collective) -> bool:
    """Tell whether nothing says that a collective has run."""
    return one.done_s is None and not one.traced


def named(ranks: Iterable[int]) -> str:
    """Name ranks, as "rank 1" or "ranks 0, 2 and 3"."""
    *first, last = map(str, sorted(ranks))
    return f"ranks {', '.join(first)} and {last}" if first else f"rank {last}"


def fates(ranks: Iterable[Observation]) -> str:
    """Say where ranks stand, or how they went: those with the same lot together."""
    lots: dict[str, list[Observation]] = {}
    for one in ranks:
        lots.setdefault(lot(one), []).append(one)
    return "; ".join(_with_ranks(some) for some in lots.values())


def joined(*parts: str) -> str:
    """Put the parts of a message together that are not empty."""
    return "; ".join(filter(None, parts))


def _with_ranks(some: Sequence[Observation]) -> str:
    since = max(map(waited_s, some))
    told = f" since {duration(since)}" if since else ""
    return f"{named(map(rank_of, some))}: {lot(some[0])}{told}"


def called(one: Collective, number: int = 0) -> str:
    """Name a collective by its number, with what it reduces, its line and its step."""
    return f"number {number or one.n} {what(one)}"


def what(one: Collective) -> str:
    """Say what a collective reduces, and where."""
    step = f", step {one.step}" if one.step else ""
    of = f" of {one.leaf}" if one.leaf else ""
    return f"({one.operation}{of}, {shaped(one)}, {line(one)}{step})"


def shaped(one: Collective) -> str:
    """Write the shape and the type of what a collective reduces."""
    return f"({', '.join(map(str, one.shape))}{',' if len(one.shape) == 1 else ''}) {one.dtype}"


def line(one: Collective | Place) -> str:
    """Name the line that built a collective, or another place."""
    return f"{one.file.rpartition('/')[2]}:{one.line}" if one.file else "an unknown line"


def lot(seen: Observation) -> str:
    """Say where a rank stands, or how it went."""
    if over(seen):
        return f"came to its end after {counted(steps_done(seen), 'step')}"
    if cut_off(seen) and seen.raised is not None:
        return f"failed for it ({seen.raised.message.splitlines()[0]})"
    place = where(seen)
    if not waits(seen):
        return f"stands {place}" if place else "not known"
    return f"{'computes' if busy(seen) else 'waits'} {place}".rstrip()


def waited_s(seen: Observation) -> float:
    """Return for how long a rank has waited in its evaluation."""
    if not waits(seen) or seen.evaluating_s is None:
        return 0.0
    return max(0.0, (seen.detection_s or seen.wall_s) - seen.evaluating_s)


def at(code: str, message: str, one: Collective, seen: Sequence[Observation], severity: Severity) -> Finding:
    """Make a finding at the line that built a collective."""
    made = rule(code).at(message, one.file, one.line, severity=severity, number=one.n, step=one.step)
    return msgspec.structs.replace(made, source=one.source, caller=one.caller, ranks=tuple(map(rank_of, seen)))
