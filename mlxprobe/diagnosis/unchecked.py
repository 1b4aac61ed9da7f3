"""Rules that could not be judged, and why: a rule whose facts are missing never counts as passed."""

from __future__ import annotations

from collections.abc import Iterator

from mlxprobe.diagnosis.needs import NEEDS
from mlxprobe.diagnosis.reads import reads
from mlxprobe.diagnosis.registry import RULES
from mlxprobe.protocol.facts.models import CallNotRepeated
from mlxprobe.protocol.facts.work import DetectorFailed
from mlxprobe.schema.metrics import is_programs
from mlxprobe.schema.observation import Observation
from mlxprobe.schema.record import Unchecked


def unchecked(seen: Observation) -> tuple[Unchecked, ...]:
    """Return every rule that could not be judged, with the reason."""
    return tuple(_told(seen))


def _told(seen: Observation) -> Iterator[Unchecked]:
    failed = [(_why(seen, fact.error), fact.facts) for fact, _ in seen.every(DetectorFailed)]
    lost = [*failed, *((fact.why, fact.facts) for fact, _ in seen.every(CallNotRepeated))]  # the cause comes first
    for rule in (RULES[code] for code in sorted(RULES)):
        why = next((why for why, missing in lost if not reads(rule).isdisjoint(missing)), "")
        if why := why or (NEEDS[rule.needs](seen) if rule.needs else ""):
            yield Unchecked(code=rule.code, name=rule.name, why=why)


def _why(seen: Observation, error: str) -> str:
    return "the program's own error" if is_programs(seen, error) else f"the inspector failed: {error}"
