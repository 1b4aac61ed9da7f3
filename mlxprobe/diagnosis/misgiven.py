"""What MLX's losses take, and what they are given."""

from __future__ import annotations

from collections.abc import Iterator

from msgspec.structs import replace

from mlxprobe.diagnosis.registry import rule
from mlxprobe.protocol.facts.losses import WronglyGiven
from mlxprobe.schema.observation import Observation
from mlxprobe.schema.record import Finding

GIVEN = {
    "no shares": "nn.losses.cross_entropy takes one true class for each row, or rows that sum to 1: {share:.0%} of "
    "these rows do not, and sum to {sum:.3g} on average. Are several classes true at once?",
    "rectified": "nn.losses.{loss} takes logits, and none of these is below 0, {share:.0%} of them exactly 0: behind a "
    "ReLU a class cannot be made unlikely, and what is 0 has no gradient",
    "smoothed": "label_smoothing={smoothing:g} leaves the right class {right:.2g} of its target, and gives {wrong:.2g} "
    "to each other: hardly anything is left to learn",
    "beyond": "nn.losses.binary_cross_entropy takes targets from 0 to 1, and these go from {low:.3g} to {high:.3g}: "
    "such a loss falls without bound",
    "no logarithms": "nn.losses.{loss} takes log-probabilities, and its {argument} are none: the exponentials of a row "
    "sum to e^{sum:.3g}, and not to 1. Are they logits?",
    "of a layer": "nn.losses.{loss} takes log-probabilities, and is given logits: what a layer returns as it is",
    "no variances": "nn.losses.gaussian_nll_loss takes variances, and {share:.0%} of these are below 0: it takes 1e-6 "
    "in their place. Are they logarithms, or what a layer returns as it is?",
    "no signs": "nn.losses.{loss} takes targets of -1 and 1, and these are 0 and 1: rows of 0 have no gradient",
    "similarity": "nn.losses.cosine_similarity_loss returns the similarity itself, and the loss is nothing else: it is "
    "least where the two point away from each other",
}
LOGARITHMS = "`nn.log_softmax(logits, axis=-1)` before this loss, or `cross_entropy(logits, labels)`."
INSTEAD = {
    "no shares": "`nn.losses.binary_cross_entropy(logits, targets)`, where several classes may be true at once; else "
    "`targets / targets.sum(axis=-1, keepdims=True)`.",
    "rectified": "what the last layer returns, as it is: no activation after it.",
    "smoothed": "`label_smoothing=0.1`: the part that is taken from the right class.",
    "beyond": "targets of 0 and 1: `(labels + 1) / 2` for labels of -1 and 1, `pixels / 255` for bytes; a squared "
    "error, where the targets are no probabilities.",
    "no logarithms": LOGARITHMS,
    "of a layer": LOGARITHMS,
    "no variances": "`mx.exp(log_variance)` or `nn.softplus(raw)` as the variances.",
    "no signs": "`2 * labels - 1` as the targets.",
    "similarity": "`1 - nn.losses.cosine_similarity_loss(...)`, of which the least is where the two are alike.",
}


def misgiven(seen: Observation) -> Iterator[Finding]:
    """Tell of losses that are given numbers which they do not take."""
    for fact, at in seen.facts(WronglyGiven):
        told = rule("MP302").at(GIVEN[fact.kind].format(**fact.as_dict()), at.file, at.line, misgiven=1.0)
        yield replace(told, instead=INSTEAD[fact.kind])
