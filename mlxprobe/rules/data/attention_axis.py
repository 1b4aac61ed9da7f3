"""Attention weights that sum to one along the wrong axis."""

from __future__ import annotations

from collections.abc import Iterator

from mlxprobe.protocol.facts.losses import AttentionTransposed
from mlxprobe.rules.registry import finding, findings_from_facts
from mlxprobe.rules.rewriting import with_argument
from mlxprobe.schema.enums import Severity
from mlxprobe.schema.observation import Observation
from mlxprobe.schema.record import Finding

ACROSS = {
    AttentionTransposed: "the weights of an attention, of shape {shape}, sum to one along axis {axis}, and their "
    "product with the values sums along the last axis: the outputs are no means",
}


@finding(
    "MP329", "attention-axis", Severity.WARNING, explains=("MP306",), rewrite=with_argument("axis", 1, "-1", "softmax")
)
def attention_axis(seen: Observation) -> Iterator[Finding]:
    """The weights of an attention are a softmax along another axis than the one that is summed.

    Why it matters: the outputs are no weighted means of the values, and later positions can reach earlier ones.

    Example: `mx.softmax(scores)` or `mx.softmax(scores, axis=1)` before `weights @ values`.

    Use instead: `mx.softmax(scores, axis=-1)`.

    Limits: read off the graph of the loss.
    """
    yield from findings_from_facts(seen, "MP329", ACROSS)
