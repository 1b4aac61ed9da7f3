"""Findings about the loss."""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterator

from mlxprobe.diagnosis.registry import finding, place, rule
from mlxprobe.model import Finding, Observation
from mlxprobe.vocabulary import Severity

ENOUGH_LOSSES = 20
FALL = 0.02


@finding("MP306", "not-learning", Severity.WARNING)
def not_learning(seen: Observation) -> Iterator[Finding]:
    """The loss does not fall.

    Over at least 20 losses that the program read, the median of the last third is not 2 % below the first third's.

    Example: gradients that are never applied, labels that do not reach the loss, a learning rate of 0.

    Use instead: see the findings beside it for the cause.
    """
    values = [one.value for one in seen.losses if math.isfinite(one.value)]
    if len(values) < ENOUGH_LOSSES:
        return
    third = len(values) // 3
    first, last = statistics.median(values[:third]), statistics.median(values[-third:])
    if last > first - FALL * abs(first):
        message = (
            f"the loss does not fall: {first:.4g} in the first third of {len(values)} readings, {last:.4g} in the last"
        )
        yield rule("MP306").at(message, *place(seen, "first gradient"), first=first, last=last)
