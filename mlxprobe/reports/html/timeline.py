"""The last collectives of each rank along time, and the hang where it is: pure. Its looks stand in static/ranks.json.

A wait is often a thousand times longer than a step: the axis ends a while after the last thing that happened, and a
wait that goes on beyond it says how long it was.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import msgspec

from mlxprobe.diagnosis.ranks.collective_alignment import rank_of
from mlxprobe.diagnosis.ranks.rank_progress import at, awaited, finished, where
from mlxprobe.diagnosis.ranks.rank_status import over
from mlxprobe.reports.html.escape import visible
from mlxprobe.schema.from_record import by_rank, observation
from mlxprobe.schema.metrics import counted, duration
from mlxprobe.schema.observation import Collective, Observation, Value
from mlxprobe.schema.record import ProgramRecord

LAST = 24  # collectives of a rank that can be told apart at the width of a page
BEYOND = 0.4  # of what happened, for waits
LONGEST = 200  # characters of a tooltip
Json = dict[str, Any]


class Lane(Value, frozen=True):
    """A rank: what it built, by time; from when to when it then waited, if it did, and in what; how it went."""

    name: str
    rows: tuple[Collective, ...]
    fate: str
    ends_well: bool
    waits: tuple[float, float] | None = None
    waits_in: str = ""
    told: str = ""

    @property
    def last_s(self) -> float:
        """When the last thing happened that is known of it."""
        moments = [moment for one in self.rows for moment in (one.built_s, one.done_s or 0.0)]
        return max([*moments, self.waits[0] if self.waits else 0.0])

    def since(self, first_s: float) -> list[Collective]:
        """List what it built from a moment on."""
        return [one for one in self.rows if one.built_s >= first_s]


def timeline(rows: Sequence[ProgramRecord]) -> Json | None:
    """Return the timeline of a program's ranks; None where no collective has its time."""
    clocks = {one.process.rank: one.clock_s for one in rows if one.process}
    lanes = [_lane(one, clocks[rank_of(one)]) for one in by_rank([observation(one) for one in rows])]
    if not any(one.rows for one in lanes):
        return None
    first_s, last_s = _first(lanes), max(one.last_s for one in lanes)
    past_s = max(last_s - first_s, 1e-3)
    longest_s = max((one.waits[1] for one in lanes if one.waits), default=0.0)
    end_s = max(min(last_s + BEYOND * past_s, longest_s), last_s + 0.02 * past_s)
    return {
        "key": "ranks",
        "title": f"The last collectives of each rank, {LAST} at most",
        "ranks": [one.name for one in lanes],
        "domain": [_short(first_s - 0.01 * past_s), _short(end_s)],
        "spans": [span for one in lanes for span in _spans(one, first_s)],
        "waits": [_wait(one, end_s) for one in lanes if one.waits],
        "words": list(_words(lanes, first_s, end_s)),
        "told": visible("; ".join(f"{one.name}: {one.told}" for one in lanes) + "."),
    }


def _lane(seen: Observation, clock_s: float) -> Lane:
    one, more = awaited(seen)
    done, waits = finished(seen), _waits(seen, clock_s)
    ran = "collectives in compiled functions" if done is None else f"{counted(done, 'collective')} finished"
    fate = where(seen) + (f" in {at(one, more)}" if one and waits else "")
    since = f" since {duration(waits[1] - waits[0])}" if waits else ""
    rows = sorted((one for one in seen.collectives if not one.traced), key=lambda one: (one.built_s, one.n))
    return Lane(
        name=f"rank {rank_of(seen)}",
        rows=tuple(_shifted(one, clock_s) for one in rows),
        fate=fate,
        ends_well=over(seen),
        waits=waits,
        waits_in=f"{one.n} {one.operation}" if one else "elsewhere",
        told=f"{ran}, {fate}{since}",
    )


def _shifted(one: Collective, clock_s: float) -> Collective:
    done_s = None if one.done_s is None else one.done_s + clock_s
    return msgspec.structs.replace(one, built_s=one.built_s + clock_s, done_s=done_s)


def _waits(seen: Observation, clock_s: float) -> tuple[float, float] | None:
    """Return from when to when a rank of a hang waits in an evaluation, or was not heard of."""
    silence, until_s = seen.silence, seen.detection_s or seen.wall_s
    if silence is None or over(seen) or seen.ended == "exited":
        return None
    begun_s = until_s - silence.silent_s if seen.evaluating_s is None else seen.evaluating_s
    return max(begun_s, 0.0) + clock_s, max(begun_s, until_s, 0.0) + clock_s


def _first(lanes: Sequence[Lane]) -> float:
    """Return when the timeline begins: some collectives before the first rank has built its last."""
    cut_s = min(one.rows[-1].built_s for one in lanes if one.rows)
    before = [[row.built_s for row in one.rows if row.built_s <= cut_s][-LAST:] for one in lanes]
    return max((min(some) for some in before if some), default=cut_s)


def _spans(lane: Lane, first_s: float) -> Iterator[Json]:
    for one in lane.since(first_s):
        done_s = one.built_s if one.done_s is None else one.done_s
        known = {"rank": lane.name, "x": _short(one.built_s), "x2": _short(done_s), "done": one.done_s is not None}
        yield known | {"what": visible(at(one), LONGEST), "step": one.step}


def _wait(lane: Lane, end_s: float) -> Json:
    begun_s, until_s = lane.waits or (0.0, 0.0)
    known = {"rank": lane.name, "x": _short(begun_s), "x2": _short(min(until_s, end_s))}
    return known | {"what": visible(lane.told, LONGEST)}


def _words(lanes: Sequence[Lane], first_s: float, end_s: float) -> Iterator[Json]:
    """Say at each rank's end how it waits, with an arrow where it goes on beyond the axis; or how it went."""
    all_well = all(one.ends_well for one in lanes)
    for one in lanes:
        last_s = max(first_s, one.last_s)
        if one.waits:
            begun_s, until_s = one.waits
            beyond = " →" if until_s > end_s else ""
            words, x, left = f"{one.waits_in}, {duration(until_s - begun_s)}{beyond}", min(until_s, end_s), True
        else:
            words, x, left = one.fate, last_s, last_s > (first_s + end_s) / 2
        if not all_well:
            yield {"rank": one.name, "x": _short(x), "left": left, "what": visible(words, LONGEST)}


def _short(seconds: float) -> float:
    return round(seconds, 5)
