"""Held-out data with a standardisation of their own."""

from __future__ import annotations

from collections.abc import Iterator

from mlxprobe.protocol.facts.data import StandardisedAlone
from mlxprobe.rules.registry import finding, findings_from_facts
from mlxprobe.schema.enums import Severity
from mlxprobe.schema.observation import Observation
from mlxprobe.schema.record import Finding

ALONE = {
    StandardisedAlone: "each column of the model's input outside of gradient calls has a mean of 0 and a deviation of "
    "1 by itself, at all {looks} sampled calls, and no row of it is trained on: it is standardised by its own "
    "statistics",
}


@finding("MP333", "standardised-apart", Severity.WARNING)
def standardised_apart(seen: Observation) -> Iterator[Finding]:
    """Held-out rows are standardised by their own mean and deviation.

    Why it matters: the model is evaluated on numbers that mean something else than in training.

    Example: `xv = (xv - xv.mean(0)) / xv.std(0)`.

    Use instead: the mean and the deviation of the training data for both.

    Limits: reported where no row of the evaluated data is trained on.
    """
    yield from findings_from_facts(seen, "MP333", ALONE)
