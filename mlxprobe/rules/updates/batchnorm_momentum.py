"""Batch statistics that keep the last batch alone."""

from __future__ import annotations

from collections.abc import Iterator

from mlxprobe.protocol.facts.models import LastBatch
from mlxprobe.rules.registry import finding, rule
from mlxprobe.rules.rewriting import with_argument
from mlxprobe.schema.enums import Severity
from mlxprobe.schema.observation import Observation
from mlxprobe.schema.record import Finding


@finding("MP228", "batchnorm-momentum", Severity.WARNING, rewrite=with_argument("momentum", 2, "0.1", "BatchNorm"))
def batchnorm_momentum(seen: Observation) -> Iterator[Finding]:
    """The momentum of a batch normalisation is the share of the old statistics.

    Why it matters: in MLX it is the share of the new batch; at 0.99 the running statistics are those of the last batch.

    Example: `nn.BatchNorm(64, momentum=0.99)`.

    Use instead: `nn.BatchNorm(64, momentum=0.01)`.

    Limits: reported above one half.
    """
    for fact, at in seen.facts(LastBatch):
        share = fact.momentum
        message = f"momentum is the share that the running statistics of {fact.path} take from each batch: at "
        message += f"{share:g} they hold little more than the last batch. Is {1 - share:.3g} meant?"
        yield rule("MP228").at(message, at.file, at.line, share=share)
