"""Two releases' runs of one program in, changes out: pure.

A difference that runs of one release show among themselves is noise. So outcomes must be the same in all repetitions
before they count, and times and memory need both a ratio over the factor and a significant difference.
"""

from __future__ import annotations

import math
import re
import statistics
from collections.abc import Callable, Iterable, Iterator, Sequence

from mlxprobe.model import Finding, ProgramRecord, Value
from mlxprobe.vocabulary import Outcome, Severity, Word

RESIDENT_FLOOR_BYTES = 16_000_000
SIGNIFICANT = 0.01
ENOUGH_RUNS = 12  # of each side, the first not counted: it was chosen for looking different
LOSS_TOLERANCE = 1e-3
NOT_JUDGED = (Outcome.UNJUDGED, Outcome.SKIPPED)


class Change(Word):
    """How the candidate stands to the baseline."""

    REGRESSION = "regression"
    CANNOT_TELL = "cannot tell"
    CHANGED = "changed"
    FIXED = "fixed"
    SAME = "same"


class Difference(Value, frozen=True):
    """One thing that differs: what (`outcome`, `finding`, `loss`, `error`, `peak`, `memory`, `time`), how, and why.

    `advice` marks what cannot decide, because the two sides were not measured on one machine. `suspected` marks a
    difference that too few runs have shown.
    """

    what: str
    change: Change
    text: str
    advice: bool = False
    suspected: bool = False


class Comparison(Value, frozen=True):
    """All differences of one program, and the gravest of them."""

    program: str
    differences: tuple[Difference, ...] = ()
    allowed: str = ""

    @property
    def change(self) -> Change:
        """The gravest change that is neither advice nor merely suspected."""
        certain = {one.change for one in self.differences if not one.advice and not one.suspected}
        return next((change for change in Change if change in certain), Change.SAME)

    @property
    def suspected(self) -> bool:
        """Whether further runs could change the answer."""
        return any(one.suspected for one in self.differences)


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
    found = (one for aspect in ASPECTS for one in aspect(before, after, same_machine))
    return Comparison(program=program, differences=tuple(one for one in found if not aspects or one.what in aspects))


def _outcome(before: Rows, after: Rows, same_machine: bool) -> Iterator[Difference]:
    old, new = _outcomes(before), _outcomes(after)
    if old == new and len(old) == 1:
        return
    text = f"{' or '.join(sorted(old))} → {' or '.join(sorted(new))}: {after[0].reason}"
    judged = not any(one.outcome in NOT_JUDGED for one in (*before, *after))
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


def _few(before: Rows, after: Rows, same_machine: bool) -> bool:
    """Tell whether a difference has been seen too rarely; a record from elsewhere cannot be run again."""
    return len(after) < 2 or (same_machine and len(before) < 2)


def _outcomes(rows: Rows) -> set[str]:
    return {f"{one.outcome} ({one.kind})" if one.kind else str(one.outcome) for one in rows}


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
    apart = [step for step in common if _relative(new[step], old[step]) > LOSS_TOLERANCE]
    if not apart:
        return
    last = common[-max(1, len(common) // 3) :]
    was, now = statistics.fmean(old[step] for step in last), statistics.fmean(new[step] for step in last)
    change = Change.CHANGED
    if _relative(now, was) > LOSS_TOLERANCE:
        change = Change.FIXED if now < was else Change.REGRESSION
    text = f"the loss path diverges from step {apart[0]}; the last third's mean was {was:.5g} and is {now:.5g}"
    yield Difference(what="loss", change=change, text=text)


def _path(one: ProgramRecord) -> dict[int, float]:
    return {reading.step: reading.value for reading in one.losses}


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
    yield from PEAK.compare(_each(before, peak_bytes), _each(after, peak_bytes), advice=False)


def _memory(before: Rows, after: Rows, same_machine: bool) -> Iterator[Difference]:
    old, new = _each(before, resident_growth_bytes), _each(after, resident_growth_bytes)
    if old and new and abs(statistics.median(new) - statistics.median(old)) > RESIDENT_FLOOR_BYTES:
        yield from GROWTH.compare(old, new, advice=not same_machine)


def _time(before: Rows, after: Rows, same_machine: bool) -> Iterator[Difference]:
    yield from TIME.compare(_each(before, usual_step_s), _each(after, usual_step_s), advice=not same_machine)


class Quantity(Value, frozen=True):
    """A figure of which less is better, and the factor from which a difference matters."""

    what: str
    label: str
    factor: float
    unit: float
    unit_name: str

    def compare(self, old: list[float], new: list[float], *, advice: bool) -> Iterator[Difference]:
        """Compare the figure of every run; with too few runs a large ratio is a suspicion."""
        if not old or not new:
            return
        was, now = statistics.median(old), statistics.median(new)
        ratio = now / was if was else 1.0
        if 1 / self.factor <= ratio <= self.factor:
            return
        change = Change.REGRESSION if ratio > 1 else Change.FIXED
        text = f"{self.label} {was / self.unit:.4g} → {now / self.unit:.4g} {self.unit_name} (× {ratio:.2f}"
        if min(len(old), len(new)) < ENOUGH_RUNS:
            text += f", {len(old)} runs)"
            yield Difference(what=self.what, change=change, text=text, advice=advice, suspected=not advice)
            return
        from scipy.stats import mannwhitneyu  # takes a second to import

        p = float(mannwhitneyu(old, new).pvalue) if len({*old, *new}) > 1 else 1.0
        if p < SIGNIFICANT:
            text += f", p = {p:.2g}, {len(old)} runs)"
            yield Difference(what=self.what, change=change, text=text, advice=advice)


PEAK = Quantity(what="peak", label="MLX peak memory", factor=1.15, unit=1e6, unit_name="MB")
GROWTH = Quantity(what="memory", label="growth of resident memory", factor=1.15, unit=1e6, unit_name="MB")
TIME = Quantity(what="time", label="step time", factor=1.1, unit=1e-3, unit_name="ms")


def _each(rows: Rows, figure: Callable[[ProgramRecord], float | None]) -> list[float]:
    return [value for value in map(figure, rows[1:] or rows) if value is not None]


def peak_bytes(one: ProgramRecord) -> float | None:
    """Return the peak that MLX counted; None where it was never read, or the program was ended early."""
    ended_early = one.outcome in (Outcome.HANG, Outcome.MEMORY, Outcome.CRASH)
    return float(max(sample.peak_bytes for sample in one.memory)) if one.memory and not ended_early else None


def resident_growth_bytes(one: ProgramRecord) -> float | None:
    """Return by how much resident memory rose while the body ran; None for a program that was ended early."""
    after = [sample.rss_bytes for sample in one.samples if sample.t_s >= one.begun_s]
    return float(max(after) - after[0]) if after and one.outcome is Outcome.PASS else None


def usual_step_s(one: ProgramRecord) -> float | None:
    """Return the time that a quarter of the steps stay below, the first two left out; None with fewer than eight.

    What else the machine does only ever makes steps longer, so a low quantile is steadier than the median.
    """
    steps = one.step_s[2:]
    return statistics.quantiles(steps, n=4)[0] if len(steps) >= 6 and one.outcome is not Outcome.HANG else None


ASPECTS = (_outcome, _findings, _loss, _error, _peak, _memory, _time)


def regressions(comparisons: Iterable[Comparison]) -> list[Comparison]:
    """Return what must stop an upgrade: regressions that nobody allowed."""
    return [one for one in comparisons if one.change is Change.REGRESSION and not one.allowed]
