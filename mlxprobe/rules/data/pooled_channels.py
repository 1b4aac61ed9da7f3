"""Means of pictures over their channels."""

from __future__ import annotations

from collections.abc import Iterator

from mlxprobe.protocol.facts.losses import PooledAcross
from mlxprobe.rules.registry import finding, findings_from_facts
from mlxprobe.rules.rewriting import with_argument
from mlxprobe.schema.enums import Severity
from mlxprobe.schema.observation import Observation
from mlxprobe.schema.record import Finding

POOLED = {
    PooledAcross: "axes 2 and 3 of an array of shape {shape} are pooled, its width and its channels: convolutions "
    "return their channels last",
}


@finding(
    "MP330",
    "pooled-channels",
    Severity.WARNING,
    explains=("MP306",),
    rewrite=with_argument("axis", 1, "(1, 2)", "mean", "max", "sum"),
)
def pooled_channels(seen: Observation) -> Iterator[Finding]:
    """A pooling over the last two axes takes in the channels.

    Why it matters: MLX's convolutions return (batch, height, width, channels); a mean over axes 2 and 3 removes the
    features and keeps the rows of the picture.

    Example: `mx.mean(pictures, axis=(2, 3))`, as in PyTorch.

    Use instead: `mx.mean(pictures, axis=(1, 2))`.

    Limits: reported where the sizes of the last axis are those of a convolution of the model.
    """
    yield from findings_from_facts(seen, "MP330", POOLED)
