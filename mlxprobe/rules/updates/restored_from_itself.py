"""A snapshot of the best weights that is no copy."""

from __future__ import annotations

from collections.abc import Iterator

from mlxprobe.protocol.facts.models import UpdatedWithItself
from mlxprobe.rules.registry import finding, findings_from_facts
from mlxprobe.schema.enums import Severity
from mlxprobe.schema.observation import Observation
from mlxprobe.schema.record import Finding

ITSELF = {UpdatedWithItself: "{of} is updated with its own `state`, which is the module itself: nothing is restored"}


@finding("MP222", "restored-from-itself", Severity.WARNING)
def restored_from_itself(seen: Observation) -> Iterator[Finding]:
    """A model is restored from its own `state`.

    Why it matters: `state` is the module itself and changes with it: the run keeps the last weights and not the best.

    Example: `best = model.state` at the best epoch, and `model.update(best)` at the end.

    Use instead: `best = model.parameters()`, whose arrays later updates do not change.

    Limits: seen where the same object comes back.
    """
    yield from findings_from_facts(seen, "MP222", ITSELF)
