"""Recurrent layers that are given time first."""

from __future__ import annotations

from collections.abc import Iterator

from mlxprobe.protocol.facts.models import RowsSecond, TimeFirst
from mlxprobe.rules.registry import finding, findings_from_facts, rule
from mlxprobe.schema.enums import Severity
from mlxprobe.schema.observation import Observation
from mlxprobe.schema.record import Finding

SECOND = {
    RowsSecond: "a recurrent layer gets data of shape {shape}: the {rows} rows that have a target each are on the "
    "second axis, which the layer takes for time",
}


@finding("MP326", "time-first", Severity.WARNING, explains=("MP306",))
def time_first(seen: Observation) -> Iterator[Finding]:
    """A recurrent layer gets data with time before the batch.

    Why it matters: MLX's recurrent layers take (batch, length, channels); given (length, batch, channels) the state
    runs over the batch, and each time step starts with an empty state.

    Example: PyTorch's (length, batch, channels) is given to `nn.GRU`.

    Use instead: `x.swapaxes(0, 1)` before the layer.

    Limits: reported where neighbours along the first axis resemble each other, or where there are as many targets as
    places along the second.
    """
    yield from findings_from_facts(seen, "MP326", SECOND)
    for fact, at in seen.facts(TimeFirst):
        message = f"data of shape {fact.shape} seems to have its time first: neighbours correlate by "
        message += f"{fact.channels:.2f} along the first axis and by {fact.time:.2f} along the second, which the layer "
        message += "takes for time"
        yield rule("MP326").at(message, at.file, at.line, first_axis=fact.channels, time=fact.time)
