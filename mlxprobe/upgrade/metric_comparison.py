"""Figures of which less is better, compared over repeated runs: pure."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterator, Sequence

from mlxprobe.schema.enums import Outcome
from mlxprobe.schema.metrics import counted
from mlxprobe.schema.observation import Value
from mlxprobe.schema.record import ProgramRecord
from mlxprobe.upgrade.diff import Change, Difference

SIGNIFICANT = 1e-3  # a gate compares some five hundred figures
RESIDENT_FLOOR_BYTES = 16_000_000
PEAK_FLOOR_BYTES = 500_000
ENOUGH_RUNS = 12  # of each side, the first not counted: it was chosen for looking different


class Quantity(Value, frozen=True):
    """A figure of which less is better, and the factor from which a difference matters."""

    what: str
    label: str
    factor: float
    unit: float
    unit_name: str

    def compare(self, old: list[float], new: list[float], *, advice: bool) -> Iterator[Difference]:
        """Compare the figure of every run; with too few runs a large ratio is a suspicion.

        What else a machine does only ever adds, so the least of few runs is the best guess of what they cost.
        """
        if not old or not new:
            return
        enough = min(len(old), len(new)) >= ENOUGH_RUNS
        middle = statistics.median if enough else min
        was, now = middle(old), middle(new)
        ratio = now / was if was else 1.0
        if 1 / self.factor <= ratio <= self.factor:
            return
        change = Change.REGRESSION if ratio > 1 else Change.FIXED
        text = f"{self.label} {was / self.unit:.4g} → {now / self.unit:.4g} {self.unit_name} (× {ratio:.2f}"
        if not enough:
            text += f", {counted(len(old), 'run')})"
            yield Difference(what=self.what, change=change, text=text, advice=advice, suspected=not advice)
            return
        from scipy.stats import mannwhitneyu  # takes a second to import

        p = float(mannwhitneyu(old, new).pvalue) if len({*old, *new}) > 1 else 1.0
        if p < SIGNIFICANT:
            text += f", p = {p:.2g}, {counted(len(old), 'run')})"
            yield Difference(what=self.what, change=change, text=text, advice=advice)


PEAK = Quantity(what="peak", label="MLX peak memory", factor=1.15, unit=1e6, unit_name="MB")
GROWTH = Quantity(what="memory", label="growth of resident memory", factor=1.15, unit=1e6, unit_name="MB")
TIME = Quantity(what="time", label="step time", factor=1.15, unit=1e-3, unit_name="ms")


def each(rows: Sequence[ProgramRecord], figure: Callable[[ProgramRecord], float | None]) -> list[float]:
    """Return the figure of every run that has it, the first run left out where there are more."""
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
    """Return the time that a tenth of the steps stay below, the first two left out; None with fewer than eight.

    What else the machine does only ever makes steps longer, so a low quantile is steadier than the median.
    """
    steps = sorted(one.step_s[2:])
    return steps[len(steps) // 10] if len(steps) >= 6 and one.outcome is not Outcome.HANG else None
