"""Rotary positions along the heads."""

from __future__ import annotations

from collections.abc import Iterator

from mlxprobe.protocol.facts.models import HeadsSwapped
from mlxprobe.rules.registry import finding, findings_from_facts
from mlxprobe.schema.enums import Severity
from mlxprobe.schema.observation import Observation
from mlxprobe.schema.record import Finding

HEADS = {
    HeadsSwapped: "rotary positions are counted along the {heads} heads: the data have shape {shape}, and `nn.RoPE` "
    "takes the last axis but one for time",
}


@finding("MP327", "rotary-axis", Severity.WARNING, explains=("MP306",))
def rotary_axis(seen: Observation) -> Iterator[Finding]:
    """Rotary positions are counted along the heads.

    Why it matters: `nn.RoPE` takes (…, length, features); given (batch, length, heads, features) it numbers the heads,
    and the model knows no position.

    Example: `self.rope(q)` before `q.transpose(0, 2, 1, 3)`.

    Use instead: move the heads first: `self.rope(q.transpose(0, 2, 1, 3))`.

    Limits: reported where the axis has as many places as the attention has heads.
    """
    yield from findings_from_facts(seen, "MP327", HEADS)
