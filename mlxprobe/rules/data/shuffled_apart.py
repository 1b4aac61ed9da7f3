"""Inputs and targets in two different orders."""

from __future__ import annotations

from collections.abc import Iterator

from mlxprobe.protocol.facts.data import TargetsTorn
from mlxprobe.rules.registry import finding, rule
from mlxprobe.schema.enums import Severity
from mlxprobe.schema.losses import fall
from mlxprobe.schema.observation import Observation
from mlxprobe.schema.record import Finding

STAYS = 0.9  # of its first readings: a loss that learns nothing


@finding("MP317", "shuffled-apart", Severity.WARNING, explains=("MP306",))
def shuffled_apart(seen: Observation) -> Iterator[Finding]:
    """A row that comes again has the same target no more often than any two rows.

    Why it matters: inputs and targets were shuffled apart, so that the labels are noise.

    Example: `x = x[mx.random.permutation(len(x))]; y = y[mx.random.permutation(len(y))]`.

    Use instead: one order for both: `order = mx.random.permutation(len(x))`, then `x[order]` and `y[order]`.

    Limits: a note where the loss falls all the same.
    """
    for fact, at in seen.facts(TargetsTorn):
        message = f"rows that come again have other targets: {fact.same} of {fact.again} had the same target, as "
        message += f"{fact.chance:.0%} would by chance"
        path = fall(seen)
        stays = path is not None and path[1] > STAYS * path[0]
        severity = Severity.WARNING if stays else Severity.NOTE
        yield rule("MP317").at(message, at.file, at.line, severity=severity, again=fact.again, same=fact.same)
