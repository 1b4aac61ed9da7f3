"""Models that mix the rows of a batch."""

from __future__ import annotations

from collections.abc import Iterator

from mlxprobe.protocol.facts.losses import SoftmaxOverAll, SoftmaxOverRows
from mlxprobe.protocol.facts.models import RowsMixed
from mlxprobe.rules.registry import finding, rule
from mlxprobe.schema.enums import Severity
from mlxprobe.schema.observation import Observation
from mlxprobe.schema.record import Finding


@finding("MP332", "mixed-rows", Severity.WARNING, explains=("MP306",))
def mixed_rows(seen: Observation) -> Iterator[Finding]:
    """The outputs of a row change with the place of the row in the batch, or with the other rows.

    Why it matters: the model reads an axis of the batch as positions or features; alone, a row gets another answer.

    Example: `positions[: x.shape[0]]`; `x.reshape(time, batch, -1)`.

    Use instead: index positions along the time axis: `positions[: x.shape[1]]`; `x.swapaxes(0, 1)`.

    Limits: the model is called again in evaluation mode with its rows moved. A note where the mean of the batch
    explains most of the difference.
    """
    if seen.has(SoftmaxOverRows, SoftmaxOverAll):  # calls by which rows meet
        return
    for fact, at in [one for one in seen.facts(RowsMixed) if one[0].looks]:
        ways = {"its place in the batch": fact.place, "the other rows": fact.beside}
        message = f"the output of {fact.model} for a row depends on {' and '.join(one for one in ways if ways[one])}: "
        severity = Severity.WARNING if fact.sure else Severity.NOTE
        yield rule("MP332").at(f"{message}is an axis taken for another?", at.file, at.line, severity=severity)
