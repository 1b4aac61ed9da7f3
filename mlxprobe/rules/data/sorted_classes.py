"""Batches of one class each."""

from __future__ import annotations

from collections.abc import Iterator

from mlxprobe.protocol.facts.data import ConstantLevel
from mlxprobe.rules.registry import finding, rule
from mlxprobe.schema.enums import Severity
from mlxprobe.schema.observation import Observation
from mlxprobe.schema.record import Finding

ENOUGH_BATCHES, MOSTLY = 6, 0.75  # sampled steps; the share of them with one class, or one and then the next
SEVERAL_CLASSES = 3  # real and generated samples often come in batches of their own


@finding("MP316", "sorted-classes", Severity.WARNING, explains=("MP201", "MP208", "MP306"))
def sorted_classes(seen: Observation) -> Iterator[Finding]:
    """Batches hold one class each, one class after another, and the classes come round again.

    Why it matters: the file is sorted and not shuffled; each update unlearns the classes of the updates before.

    Example: `for i in range(0, len(x), 32): step(x[i : i + 32], y[i : i + 32])` over rows sorted by class.

    Use instead: a new permutation of the rows for each epoch: `order = np.random.permutation(len(x))`.

    Limits: a note where several micro-batches or ranks make up an update: together they may hold all classes.
    """
    per_update = max((step.gradients for step in seen.steps), default=1)
    shared = per_update > 1 or (seen.process is not None and seen.process.size > 1)
    for fact, at in seen.facts(ConstantLevel):
        if fact.alone < max(ENOUGH_BATCHES, MOSTLY * fact.batches) or fact.different < SEVERAL_CLASSES:
            continue
        which = "each batch holds" if fact.alone == fact.batches else "most batches hold"
        message = f"{which} a single class, or one and then the next, at {fact.alone} of {fact.batches} sampled steps; "
        message += f"there are {fact.different} classes: the rows are sorted by their targets"
        severity = Severity.WARNING if fact.returns and not shared else Severity.NOTE
        yield rule("MP316").at(message, at.file, at.line, severity=severity)
