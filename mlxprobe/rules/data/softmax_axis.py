"""Softmaxes over rows or over whole batches."""

from __future__ import annotations

from collections.abc import Iterator

from mlxprobe.protocol.facts.losses import SoftmaxOverAll, SoftmaxOverRows
from mlxprobe.rules.registry import finding, findings_from_facts
from mlxprobe.rules.rewriting import with_argument
from mlxprobe.schema.enums import Severity
from mlxprobe.schema.observation import Observation
from mlxprobe.schema.record import Finding

OVER = {
    SoftmaxOverAll: "mx.softmax has no axis and takes the whole array of shape {shape} for one row: the whole batch "
    "sums to one",
    SoftmaxOverRows: "a softmax, or its logarithm, runs along the first axis of an array of shape {shape}, where each "
    "row has a label: the rows share one probability, class by class",
}


@finding(
    "MP331",
    "softmax-axis",
    Severity.WARNING,
    explains=("MP306", "MP332"),
    rewrite=with_argument("axis", 1, "-1", "softmax"),
)
def softmax_axis(seen: Observation) -> Iterator[Finding]:
    """A softmax runs over the rows of the batch, or over the whole array.

    Why it matters: `mx.softmax` without an axis takes all elements for one row, unlike PyTorch's last axis; the outputs
    of a row then depend on the other rows.

    Example: `mx.softmax(logits)`; `mx.softmax(logits, axis=0)`.

    Use instead: `mx.softmax(logits, axis=-1)`.

    Limits: square arrays are left out: each row may belong to each other.
    """
    yield from findings_from_facts(seen, "MP331", OVER)
