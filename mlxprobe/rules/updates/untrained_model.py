"""Models that are used without having been trained."""

from __future__ import annotations

from collections.abc import Iterator

from mlxprobe.protocol.facts.updates import NeverTaught
from mlxprobe.rules.registry import finding, findings_from_facts
from mlxprobe.schema.enums import Severity
from mlxprobe.schema.observation import Observation
from mlxprobe.schema.record import Finding

UNTRAINED = {
    NeverTaught: "another model of the same class is used, which is not frozen and was never trained, loaded or "
    "set: its weights are as they were made",
}


@finding("MP223", "untrained-model", Severity.NOTE)
def untrained_model(seen: Observation) -> Iterator[Finding]:
    """Another model of the same class is used at the steps, and was never trained, loaded or set.

    Why it matters: a teacher or a second tower with random weights gives random outputs.

    Example: `teacher = Net()` whose weights are never loaded.

    Use instead: `teacher.load_weights(file)`, and `teacher.freeze()` where it is not to be trained.

    Limits: a note: random features are sometimes intended; `freeze()` says so.
    """
    yield from findings_from_facts(seen, "MP223", UNTRAINED, Severity.NOTE)
