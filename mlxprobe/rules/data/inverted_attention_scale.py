"""Attention scores that are multiplied by the root of their features."""

from __future__ import annotations

from collections.abc import Iterator

from mlxprobe.protocol.facts.losses import ScaleInverted
from mlxprobe.rules.registry import finding, findings_from_facts
from mlxprobe.rules.rewriting import with_inverse
from mlxprobe.schema.enums import Severity
from mlxprobe.schema.observation import Observation
from mlxprobe.schema.record import Finding

STEEP = {
    ScaleInverted: "scores of {features} features are multiplied by their root, {scale:.4g}, where they are to be "
    "divided by it: the softmax of the attention picks nearly a single position",
}


@finding(
    "MP335",
    "inverted-attention-scale",
    Severity.WARNING,
    explains=("MP306",),
    rewrite=with_inverse("scale", "scaled_dot_product_attention"),
)
def inverted_attention_scale(seen: Observation) -> Iterator[Finding]:
    """The scale of an attention is the root of the features, and not its inverse.

    Why it matters: the softmax saturates, and its gradients vanish.

    Example: `scaled_dot_product_attention(q, k, v, scale=width**0.5)`.

    Use instead: `scale=width**-0.5`.

    Limits: queries of length one are left out: their scores are multiplied on purpose.
    """
    yield from findings_from_facts(seen, "MP335", STEEP)
