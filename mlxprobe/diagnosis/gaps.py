"""Rules that could not be judged, and why: a rule whose facts are missing never counts as passed."""

from __future__ import annotations

from collections.abc import Iterator

from mlxprobe.diagnosis.needs import NEEDS
from mlxprobe.diagnosis.reads import reads
from mlxprobe.diagnosis.registry import RULES, Rule
from mlxprobe.values.observation import Fact, Observation
from mlxprobe.values.record import Unchecked

FAILED = "inspector failed"


def unchecked(seen: Observation) -> tuple[Unchecked, ...]:
    """Return every rule that could not be judged, with the reason."""
    return tuple(_told(seen))


def _told(seen: Observation) -> Iterator[Unchecked]:
    lost = [fact for fact in seen.facts if "facts" in fact.detail]
    lost.sort(key=lambda fact: fact.name != FAILED)  # a failure is the cause where something else is missing too
    for rule in (RULES[code] for code in sorted(RULES)):
        why = next((_reason(fact) for fact in lost if _reads(rule, fact)), "")
        if why := why or (NEEDS[rule.needs](seen) if rule.needs else ""):
            yield Unchecked(code=rule.code, name=rule.name, why=why)


def _reads(rule: Rule, lost: Fact) -> bool:
    """Tell whether a rule reads any of the facts that are missing."""
    names = lost.detail["facts"]
    return isinstance(names, list) and not reads(rule).isdisjoint(names)


def _reason(lost: Fact) -> str:
    return f"the inspector failed: {lost.detail['error']}" if lost.name == FAILED else str(lost.detail["why"])
