"""Where each rank of a run has come: its steps, its collectives, the one that it waits in, and where. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from mlxprobe.diagnosis.ranks.collective_alignment import rank_of
from mlxprobe.diagnosis.ranks.rank_status import busy, cut_off, line, lost, over, pending, shaped, waited_s, waits
from mlxprobe.schema.from_record import by_rank
from mlxprobe.schema.metrics import standing, steps_done
from mlxprobe.schema.observation import Collective, Observation, Place

UNWATCHED = "not watched"
MOST_RANKS = 10_000  # that are listed; a record from elsewhere may name any size


@dataclass(frozen=True)
class Standing:
    """Where a rank stands, or several alike.

    `finished` counts collectives and messages; None where a compiled function runs them again, uncounted. `at` is the
    one that they wait in (`awaited`), else the last that they have built. `codes` are of findings that name them. Of
    what was killed the last is not told: it did `at_least` that much.
    """

    ranks: tuple[int, ...]
    where: str
    steps: int | None = None
    finished: int | None = None
    at: str = ""
    awaited: bool = False
    since_s: float = 0.0
    codes: tuple[str, ...] = ()
    at_least: bool = False


def standings(seen: Sequence[Observation]) -> list[Standing]:
    """Return where each rank of one run stands; nothing where it has no others.

    Ranks that its size says there are, and nobody has seen, come last.
    """
    known, missing = by_rank(seen), unwatched(seen)
    if len(known) + len(missing) < 2:
        return []
    return [*map(_standing, known), *([Standing(ranks=missing, where=UNWATCHED)] if missing else [])]


def unwatched(seen: Sequence[Observation]) -> tuple[int, ...]:
    """Return the ranks that the size of a group says there are, and nobody has seen."""
    known = by_rank(seen)
    size = max((one.process.size for one in known if one.process), default=0)
    watched = set(map(rank_of, known))
    return tuple(rank for rank in range(min(size, MOST_RANKS)) if rank not in watched)


def was_killed(seen: Observation) -> bool:
    """Tell whether a rank was ended by a signal, and had no time to tell its last."""
    return seen.ended == "exited" and not seen.finished and seen.raised is None and (seen.exit_code or 0) < 0


def alike(told: Sequence[Standing]) -> list[Standing]:
    """Put those together who have all in common; for the longest of their waits."""
    groups: dict[Standing, list[Standing]] = {}
    for one in told:
        groups.setdefault(replace(one, ranks=(), since_s=0.0), []).append(one)
    return [
        replace(key, ranks=tuple(rank for one in some for rank in one.ranks), since_s=max(one.since_s for one in some))
        for key, some in groups.items()
    ]


def _standing(seen: Observation) -> Standing:
    one, more = awaited(seen)
    last = one or max(seen.collectives, key=lambda row: (row.built_s, row.n), default=None)
    return Standing(
        ranks=(rank_of(seen),),
        where=where(seen),
        steps=steps_done(seen),
        finished=finished(seen),
        at=at(last, more) if last else "",
        awaited=one is not None,
        since_s=waited_s(seen),
        at_least=was_killed(seen),
    )


def awaited(seen: Observation) -> tuple[Collective | None, int]:
    """Return the first collective that a rank waits for, and how many more its evaluation may hold."""
    open_ = sorted((one for one in seen.collectives if pending(one)), key=lambda one: one.built_s)
    asked = [one for one in open_ if one.begun_s is not None]
    return (asked[0], len(asked) - 1) if asked and (waits(seen) or cut_off(seen)) else (None, 0)


def finished(seen: Observation) -> int | None:
    """Count the collectives that have run, also those that are told no more; None where that is not known."""
    if any(one.traced or one.passed for one in seen.collectives):
        return None
    last = {one.group: one.n for one in sorted(seen.collectives, key=lambda one: one.n)}
    return sum(last.values()) - sum(map(pending, seen.collectives))


def at(one: Collective, more: int = 0) -> str:
    """Name a collective by its number, what it reduces, and its line."""
    group = "" if one.group == "world" else f" of {one.group}"
    others = f", and {more} more" if more else ""
    return f"{one.n} {one.operation} {shaped(one)}{group}, {line(one)}{others}"


def where(seen: Observation) -> str:
    """Say in a few words where a rank stands, or how it went."""
    if over(seen):
        return "came to its end"
    raised = seen.raised
    if raised is not None and raised.type != "KeyboardInterrupt":
        how = "lost its peer" if cut_off(seen) else f"raised {raised.type}"
        return _placed(how, raised.file, raised.line)
    if how := lost(seen):
        return how
    file, number = standing(seen)
    if seen.silence is not None and file:
        return _placed("stands" if not waits(seen) else "computes" if busy(seen) else "waits", file, number)
    return {"running": "runs", "interrupted": "was interrupted"}.get(seen.ended, "was ended")


def _placed(how: str, file: str, number: int) -> str:
    return f"{how} at {line(Place(file=file, line=number))}" if file else how
