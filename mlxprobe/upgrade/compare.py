"""Two releases' runs of one program in, changes out: pure.

A difference that runs of one release show among themselves is noise. So outcomes must be the same in all repetitions
before they count, and times and memory need both a ratio over the factor and a significant difference.
"""

from __future__ import annotations

import math
import re
import statistics
from collections.abc import Iterator, Sequence

from mlxprobe.schema.enums import Outcome, Severity
from mlxprobe.schema.metrics import mean
from mlxprobe.schema.record import Finding, ProgramRecord
from mlxprobe.upgrade.diff import Change, Comparison, Difference
from mlxprobe.upgrade.metric_comparison import (
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

CUT = ("timeout", "memory", "")  # endings by a limit; older baselines have no ending
LOSS_TOLERANCE = 1e-3
VARIED_RUNS = 5  # of each side, before losses that differ from run to run are compared
STEADY_RUNS = 3  # in which a baseline never failed, before a candidate that does so now and then is called worse
NOT_JUDGED = (Outcome.UNJUDGED, Outcome.SKIPPED)
NEVER_IMPORTED = "its main process never imported MLX"


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
    alike = _outcomes(before) == _outcomes(after)
    why = uncompared(before, after) or ("" if same_machine else _tightened(before, after))
    if not why and not _measured(before, after, aspects, alike=alike, same_machine=same_machine):
        why = f"none of what it compares was measured on both sides: {', '.join(aspects)}"
    if why:
        unlike = Difference(what="outcome", change=Change.CANNOT_TELL, text=why)
        return Comparison(program=program, differences=(unlike,))
    comparable = ASPECTS if alike else ENDINGS  # half a run has half a run's figures
    found = (one for aspect in comparable for one in aspect(before, after, same_machine))
    untold = (Change.CANNOT_TELL, "outcome")  # whatever counts, it was not shown
    counted = (one for one in found if not aspects or one.what in aspects or (one.change, one.what) == untold)
    return Comparison(program=program, differences=tuple(counted))


def uncompared(before: Rows, after: Rows) -> str:
    """Return the reason that two sides cannot be compared; empty where both gave an outcome.

    Against a limit that ended the other side, only a pass says something: a run that was cut off shows no ending.
    """
    for side, rows in (("baseline", before), ("candidate", after)):
        if not rows:
            return f"not in the {side}"
        if why := next(filter(None, map(_not_judged, rows)), ""):
            return f"{why} ({side})"
    if any(one.mlx == "" for one in (*before, *(one for one in after if one.outcome is Outcome.PASS))):
        return NEVER_IMPORTED
    if all(one.outcome is Outcome.ERROR and not one.as_expected for one in (*before, *after)):
        return f"it ends with an error on both sides: {before[0].reason}"
    cut = [any(map(was_limited, rows)) for rows in (before, after)]
    others = [one for rows, was_cut in zip((before, after), cut, strict=True) for one in rows if not was_cut]
    if any(cut) and not (others and all(one.outcome is Outcome.PASS for one in others)):
        return next(f"ended by a limit: {one.reason}" for one in (*before, *after) if was_limited(one))
    return ""


def _tightened(before: Rows, after: Rows) -> str:
    """Return the limit that ended a run of the candidate where a record's run had more room; empty where none did.

    Two releases that run here have the same limits. Those of a record may have been wider, and then its pass says
    nothing of what fits into these. A limit with a basis, measured from the correct loop, is no one's choice.
    """
    for one in filter(was_limited, after):
        for known in (row.limits for row in before if row.limits is not None):
            now, by_memory = one.limits, one.outcome is Outcome.MEMORY
            if now is None or (by_memory and now.basis):
                continue
            if now.memory_bytes < known.memory_bytes if by_memory else now.timeout_s < known.timeout_s:
                return f"ended by a limit, narrower than the baseline's: {one.reason}"
    return ""


def no_outcome(one: ProgramRecord) -> str:
    """Return the reason that a run gave no outcome; empty where it gave one."""
    return _not_judged(one) or (NEVER_IMPORTED if one.mlx == "" else "")


def _not_judged(one: ProgramRecord) -> str:
    return f"{one.outcome}: {one.reason}" if one.outcome in NOT_JUDGED else ""


def was_limited(one: ProgramRecord) -> bool:
    """Return whether `--timeout` or `--memory-limit` ended a run that was not expected to reach it."""
    return one.outcome in (Outcome.SLOW, Outcome.MEMORY) and not one.as_expected and one.ended in CUT


def _measured(before: Rows, after: Rows, aspects: Sequence[str], *, alike: bool, same_machine: bool) -> bool:
    """Return whether both sides have figures of an aspect that counts; an ending they always have."""
    if not aspects or set(aspects) - {"loss", "peak", "memory", "time"}:
        return True
    figures = {"peak": peak_bytes}
    if same_machine:
        figures |= {"memory": resident_growth_bytes, "time": usual_step_s}
    by_loss = alike and "loss" in aspects and bool(_path(before[0]).keys() & _path(after[0]).keys())
    wanted = [figure for name, figure in figures.items() if alike and name in aspects]
    return by_loss or any(each(before, one) and each(after, one) for one in wanted)


def _outcome(before: Rows, after: Rows, same_machine: bool) -> Iterator[Difference]:
    old, new = _outcomes(before), _outcomes(after)
    if old == new and len(old) == 1:
        return
    text = f"{' or '.join(sorted(old))} → {' or '.join(sorted(new))}: {after[0].reason}"
    if old == {Outcome.PASS} and len(new) > 1:
        yield _intermittent(before, after, same_machine)
        return
    if len(old) > 1 or len(new) > 1:
        yield Difference(what="outcome", change=Change.CANNOT_TELL, text=text, suspected=len(after) < 3)
        return
    was, now = before[0].outcome, after[0].outcome
    change = Change.CHANGED
    if was is Outcome.PASS:
        change = Change.REGRESSION
    elif now is Outcome.PASS:
        change = Change.FIXED
    yield Difference(what="outcome", change=change, text=text, suspected=_few(before, after, same_machine))


def _intermittent(before: Rows, after: Rows, same_machine: bool) -> Difference:
    """Return the difference of a candidate that fails intermittently where the baseline never did."""
    runs = [one for row in after for one in row.repeats or (row,)]
    failed = [one for one in runs if one.outcome is not Outcome.PASS]
    share = f"intermittent ({len(failed)} of {len(runs)})"
    few = len(runs) < STEADY_RUNS or (same_machine and len(before) < STEADY_RUNS)
    text = f"pass → {' or '.join(sorted(_outcomes(after)))}, {share}: {failed[0].reason}"
    return Difference(what="outcome", change=Change.REGRESSION, text=text, suspected=few)


def _few(before: Rows, after: Rows, same_machine: bool) -> bool:
    """Return whether a difference has been seen too rarely; a record from elsewhere cannot be run again."""
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
    fall = min(_range(old), _range(new))
    apart = [step for step in common if _differ(new[step], old[step], fall)]
    if not apart:
        return
    last = common[-max(1, len(common) // 3) :]
    was, now = mean([old[step] for step in last]), mean([new[step] for step in last])
    change = Change.CHANGED
    if _differ(now, was, fall):
        change = Change.FIXED if now < was else Change.REGRESSION
    if any(_varies(rows, fall) for rows in (before, after)):
        yield from _varied_loss(before, after, last, fall)
        return
    text = f"the loss path diverges from step {apart[0]}; the last third's mean was {was:.5g} and is {now:.5g}"
    yield Difference(what="loss", change=change, text=text, suspected=_few(before, after, same_machine))


def _varies(rows: Rows, fall: float) -> bool:
    """Return whether runs of one release have different losses: of a program that sets no seed, say."""
    first, *others = map(_path, rows)
    return any(_differ(path[step], first[step], fall) for path in others for step in path.keys() & first.keys())


def _varied_loss(before: Rows, after: Rows, last: Sequence[int], fall: float) -> Iterator[Difference]:
    """Compare losses that differ from run to run: the sides must be further apart than the runs of either are."""
    old, new = (sorted(_means(rows, last)) for rows in (before, after))
    if not _differ(old[0], new[-1], fall) and not _differ(old[-1], new[0], fall):
        return
    spread = max(old[-1] - old[0], new[-1] - new[0])
    spans = " and ".join(f"{side[0]:.5g} to {side[-1]:.5g}" for side in (old, new))
    text = f"the last third's mean loss differs from run to run, baseline and candidate: {spans}"
    change, few = Change.CANNOT_TELL, False
    if new[0] - old[-1] > spread or old[0] - new[-1] > spread:
        change = Change.REGRESSION if new[0] > old[-1] else Change.FIXED
        few = min(len(old), len(new)) < VARIED_RUNS
    else:
        whose = "baseline" if _varies(before, fall) else "candidate"
        text = f"the {whose}'s own runs differ: {text}; a seed that the program sets makes them comparable"
    yield Difference(what="loss", change=change, text=text, suspected=few)


def _means(rows: Rows, steps: Sequence[int]) -> list[float]:
    """Return the mean loss of these steps, of every run that has them; infinite where it is not a number."""
    known = [[path[step] for step in steps if step in path] for path in map(_path, rows)]
    return [math.inf if math.isnan(found := mean(values)) else found for values in known if values]


def _path(one: ProgramRecord) -> dict[int, float]:
    return {reading.step: reading.value for reading in one.losses}


def _range(path: dict[int, float]) -> float:
    known = [value for value in path.values() if math.isfinite(value)]
    return max(known) - min(known) if known else 0.0


def _differ(a: float, b: float, fall: float) -> bool:
    """Return whether two losses differ by more than rounding: relative to themselves, and to how far they fell."""
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
