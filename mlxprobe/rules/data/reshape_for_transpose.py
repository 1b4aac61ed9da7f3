"""Axes that are to be moved and are reshaped."""

from __future__ import annotations

from collections.abc import Iterator

from mlxprobe.protocol.facts.models import Reshaped
from mlxprobe.rules.registry import finding, findings_from_facts
from mlxprobe.schema.enums import Severity
from mlxprobe.schema.observation import Observation
from mlxprobe.schema.record import Finding

MOVED = {
    Reshaped: "data of shape {before} are reshaped to {after}: the numbers keep their order, and no axis moves",
}


@finding("MP328", "reshape-for-transpose", Severity.WARNING, explains=("MP306", "MP307"))
def reshape_for_transpose(seen: Observation) -> Iterator[Finding]:
    """A reshape gives an array the sizes of its transpose.

    Why it matters: a reshape keeps the numbers in their order, so that heads, channels or positions are mixed.

    Example: `q.reshape(batch, heads, length, -1)` of an array of shape (batch, length, features).

    Use instead: `q.reshape(batch, length, heads, -1).transpose(0, 2, 1, 3)` for heads; `x.transpose(0, 2, 3, 1)` for
    pictures whose channels are to be last.

    Limits: reported where the reshape is made at each step.
    """
    yield from findings_from_facts(seen, "MP328", MOVED)
