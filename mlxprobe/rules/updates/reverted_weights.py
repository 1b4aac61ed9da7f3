"""Runs that end with the weights that they began with."""

from __future__ import annotations

from collections.abc import Iterator

from mlxprobe.protocol.facts.files import LoadedUntrained
from mlxprobe.protocol.facts.updates import WeightsBack
from mlxprobe.rules.registry import finding, findings_from_facts
from mlxprobe.schema.enums import Severity
from mlxprobe.schema.observation import Observation
from mlxprobe.schema.record import Finding

BACK = {
    WeightsBack: "the run ends with its initial weights, except for {way:.1%} of the way that they had come in "
    "{updates} updates",
    LoadedUntrained: "the weights that the run ends with were saved to {file} before the first update, and never "
    "again: they contain none of {updates} updates",
}


@finding("MP224", "reverted-weights", Severity.NOTE)
def reverted_weights(seen: Observation) -> Iterator[Finding]:
    """The weights at the end of the run are nearly those of its start.

    Why it matters: the training is lost.

    Example: `best` is copied before the first update and never again, and `model.update(best)` ends the run.

    Use instead: copy or save the weights each time that the score improves.

    Limits: a note: early stopping may rightly return to the start.
    """
    yield from findings_from_facts(seen, "MP224", BACK, Severity.NOTE)
