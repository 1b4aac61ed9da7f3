"""One batch at every step."""

from __future__ import annotations

from collections.abc import Iterator

from mlxprobe.protocol.facts.data import SameBatch
from mlxprobe.rules.registry import finding, rule, seen_at
from mlxprobe.schema.enums import Severity
from mlxprobe.schema.observation import Observation
from mlxprobe.schema.record import Finding


@finding("MP309", "repeated-batch", Severity.WARNING, explains=("MP201", "MP306"))
def repeated_batch(seen: Observation) -> Iterator[Finding]:
    """Every step gets the same rows of a larger array, in a batch that is built again each time.

    Why it matters: the model fits one batch and never sees the rest of the data.

    Example: `x, y = next(iter(loader))` inside the training loop.

    Use instead: one iterator, made before the loop: `for x, y in loader:`.

    Limits: a batch that is built once, and training on the whole data set at once, are intended and not reported. Where
    a line takes the first rows of the array (`x[:32]`) the finding is reported as a note.
    """
    for fact, at in [one for one in seen.facts(SameBatch) if one[0].looks]:
        message = f"every step gets the same rows as {fact.argument}: built again each time, equal at all {fact.looks} "
        message += f"sampled steps, and part of {fact.whole}, which has {fact.rows} rows{seen_at(fact)}"
        severity = Severity.NOTE if fact.cut else Severity.WARNING
        yield rule("MP309").at(message, at.file, at.line, severity=severity)
