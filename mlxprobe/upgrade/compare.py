"""Two releases' runs of one program in, changes out: pure.

A difference that runs of one release show among themselves is noise. So outcomes must be the same in all repetitions
before they count, and times and memory need both a ratio over the factor and a significant difference.
"""

from __future__ import annotations

import math
import re
import statistics
from collections.abc import Iterator, Sequence

from mlxprobe.upgrade.changes import Change, Comparison, Difference
from mlxprobe.upgrade.quantities import (
    GROWTH,
    PEAK,
    PEAK_FLOOR_BYTES,
    RESIDENT_FLOOR_BYTES,
    TIME,
    each,
    peak_bytes,
    resident_growth_bytes,
    usual_step_s,
)
from mlxprobe.values.record import Finding, ProgramRecord
from mlxprobe.values.vocabulary import Outcome, Severity

LOSS_TOLERANCE = 1e-3
STEADY_RUNS = 3  # in which a baseline never failed, before a candidate that does so now and then is called worse
NOT_JUDGED = (Outcome.UNJUDGED, Outcome.SKIPPED)


Rows = Sequence[ProgramRecord]


def compare(
    program: str, before: Rows, after: Rows, *, same_machine: bool = True, aspects: Sequence[str] = ()
) -> Comparison:
    """Compare the runs of one program on two releases.

    Args:
        program: its name.
        before: its runs on the baseline, one or more.
        after: its runs on the candidate.
        same_machine: False where the baseline comes from elsewhere; times and resident memory are advice then.
        aspects: what counts, by `Difference.what`; all where none is given.
    """
    if not before or not after:
        side = "baseline" if not before else "candidate"
        gone = Difference(what="outcome", change=Change.CANNOT_TELL, text=f"not in the {side}")
        return Comparison(program=program, differences=(gone,))
    comparable = ASPECTS if _outcomes(before) == _outcomes(after) else ENDINGS  # half a run has half a run's figures
    found = (one for aspect in comparable for one in aspect(before, after, same_machine))
    return Comparison(program=program, differences=tuple(one for one in found if not aspects or one.what in aspects))


def _outcome(before: Rows, after: Rows, same_machine: bool) -> Iterator[Difference]:
    old, new = _outcomes(before), _outcomes(after)
    if old == new and len(old) == 1:
        return
    text = f"{' or '.join(sorted(old))} → {' or '.join(sorted(new))}: {after[0].reason}"
    judged = not any(one.outcome in NOT_JUDGED for one in (*before, *after))
    if judged and old == {Outcome.PASS} and len(new) > 1:
        yield _intermittent(before, after, same_machine)
        return
    if len(old) > 1 or len(new) > 1 or not judged:
        yield Difference(what="outcome", change=Change.CANNOT_TELL, text=text, suspected=judged and len(after) < 3)
        return
    was, now = before[0].outcome, after[0].outcome
    change = Change.CHANGED
    if was is Outcome.PASS:
        change = Change.REGRESSION
    elif now is Outcome.PASS:
        change = Change.FIXED
    yield Difference(what="outcome", change=change, text=text, suspected=_few(before, after, same_machine))


def _intermittent(before: Rows, after: Rows, same_machine: bool) -> Difference:
    """Tell of a candidate that fails now and then where the baseline never did."""
    runs = [one for row in after for one in row.repeats or (row,)]
    failed = [one for one in runs if one.outcome is not Outcome.PASS]
    share = f"intermittent ({len(failed)} of {len(runs)})"
    few = len(runs) < STEADY_RUNS or (same_machine and len(before) < STEADY_RUNS)
    text = f"pass → {' or '.join(sorted(_outcomes(after)))}, {share}: {failed[0].reason}"
    return Difference(what="outcome", change=Change.REGRESSION, text=text, suspected=few)


def _few(before: Rows, after: Rows, same_machine: bool) -> bool:
    """Tell whether a difference has been seen too rarely; a record from elsewhere cannot be run again."""
    return len(after) < 2 or (same_machine and len(before) < 2)


def _outcomes(rows: Rows) -> set[str]:
    runs = (one for row in rows for one in row.repeats or (row,))
    return {f"{one.outcome} ({one.kind})" if one.kind else str(one.outcome) for one in runs}


def _findings(before: Rows, after: Rows, same_machine: bool) -> Iterator[Difference]:
    few = _few(before, after, same_machine)
    old, new = _steady_codes(before), _steady_codes(after)
    ever_old, ever_new = _codes(before), _codes(after)
    for code in sorted((new.keys() - ever_old.keys()) | (old.keys() - ever_new.keys())):
        gained = code in new
        finding = new[code] if gained else old[code]
        change = Change.REGRESSION if gained else Change.FIXED
        if finding.severity is Severity.NOTE:
            change = Change.CHANGED
        text = f"{'gained' if gained else 'lost'} {code} {finding.name}: {finding.message}"
        yield Difference(what="finding", change=change, text=text, suspected=few)


def _codes(rows: Rows) -> dict[str, Finding]:
    return {found.code: found for one in rows for found in one.findings}


def _steady_codes(rows: Rows) -> dict[str, Finding]:
    shared = set.intersection(*({found.code for found in one.findings} for one in rows))
    return {found.code: found for found in rows[0].findings if found.code in shared}


def _loss(before: Rows, after: Rows, same_machine: bool) -> Iterator[Difference]:
    old, new = _path(before[0]), _path(after[0])
    common = sorted(old.keys() & new.keys())
    known = [value for value in old.values() if math.isfinite(value)]
    fall = max(known) - min(known) if known else 0.0
    apart = [step for step in common if _differ(new[step], old[step], fall)]
    if not apart:
        return
    last = common[-max(1, len(common) // 3) :]
    was, now = statistics.fmean(old[step] for step in last), statistics.fmean(new[step] for step in last)
    change = Change.CHANGED
    if _differ(now, was, fall):
        change = Change.FIXED if now < was else Change.REGRESSION
    text = f"the loss path diverges from step {apart[0]}; the last third's mean was {was:.5g} and is {now:.5g}"
    yield Difference(what="loss", change=change, text=text)


def _path(one: ProgramRecord) -> dict[int, float]:
    return {reading.step: reading.value for reading in one.losses}


def _differ(a: float, b: float, fall: float) -> bool:
    """Tell whether two losses differ by more than rounding: of what is left of them, and of what they fell by."""
    return _relative(a, b) > LOSS_TOLERANCE and not abs(a - b) <= LOSS_TOLERANCE * fall


def _relative(a: float, b: float) -> float:
    """Return the distance of two numbers relative to the larger, the same with sides swapped; NaN equals NaN."""
    if a == b or (math.isnan(a) and math.isnan(b)):
        return 0.0
    distance = abs(a - b) / max(abs(a), abs(b), 1e-12)
    return math.inf if math.isnan(distance) else distance


def _error(before: Rows, after: Rows, same_machine: bool) -> Iterator[Difference]:
    old, new = before[0].raised, after[0].raised
    if old and new and _text(old.message) != _text(new.message):
        text = f"{old.type}: {_text(old.message)} → {new.type}: {_text(new.message)}"
        yield Difference(what="error", change=Change.CHANGED, text=text)


def _text(message: str) -> str:
    """Leave out of a message what differs from run to run: addresses and paths."""
    return " ".join(re.sub(r"0x[0-9a-f]+|/\S+/", "…", message).split())[:200]


def _peak(before: Rows, after: Rows, same_machine: bool) -> Iterator[Difference]:
    """MLX's own peak is counted, not measured, and so comparable across machines."""
    old, new = each(before, peak_bytes), each(after, peak_bytes)
    if old and new and abs(statistics.median(new) - statistics.median(old)) > PEAK_FLOOR_BYTES:
        yield from PEAK.compare(old, new, advice=False)


def _memory(before: Rows, after: Rows, same_machine: bool) -> Iterator[Difference]:
    old, new = each(before, resident_growth_bytes), each(after, resident_growth_bytes)
    if old and new and abs(statistics.median(new) - statistics.median(old)) > RESIDENT_FLOOR_BYTES:
        yield from GROWTH.compare(old, new, advice=not same_machine)


def _time(before: Rows, after: Rows, same_machine: bool) -> Iterator[Difference]:
    yield from TIME.compare(each(before, usual_step_s), each(after, usual_step_s), advice=not same_machine)


ENDINGS = (_outcome, _findings, _error)
ASPECTS = (*ENDINGS, _loss, _peak, _memory, _time)
