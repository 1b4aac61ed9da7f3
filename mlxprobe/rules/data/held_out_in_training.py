"""Training on rows that are held out."""

from __future__ import annotations

from collections.abc import Iterator

from mlxprobe.protocol.facts.data import TrainedOnHeldOut
from mlxprobe.rules.registry import finding, rule
from mlxprobe.schema.enums import Severity
from mlxprobe.schema.observation import Observation
from mlxprobe.schema.record import Finding


@finding("MP322", "held-out-in-training", Severity.WARNING)
def held_out_in_training(seen: Observation) -> Iterator[Finding]:
    """Training batches contain rows of an array that is named as validation or test data.

    Why it matters: the validation score measures what the model has memorised.

    Example: copies of rare rows are appended before the data are split.

    Use instead: split first; copy, augment and shuffle afterwards.

    Limits: judged by rows that are equal to the bit; rows of a few bits, which meet by chance, are not judged.
    """
    for fact, at in seen.facts(TrainedOnHeldOut):
        message = f"{fact.found} of {fact.rows} sampled training rows also occur in {fact.whole}: held-out data leaks "
        message += "into training"
        yield rule("MP322").at(message, at.file, at.line)
