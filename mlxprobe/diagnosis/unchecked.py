"""Rules that could not be judged, and why: a rule whose facts are missing never counts as passed."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from types import CodeType, FunctionType, ModuleType
from typing import Any

from mlxprobe.diagnosis.needs import NEEDS
from mlxprobe.protocol.fact import Fact
from mlxprobe.protocol.facts.models import CallNotRepeated
from mlxprobe.protocol.facts.work import DetectorFailed
from mlxprobe.rules.registry import RULES, Rule
from mlxprobe.schema.metrics import is_programs
from mlxprobe.schema.observation import Observation
from mlxprobe.schema.record import Unchecked

OURS = "mlxprobe."
ATTRIBUTE = "."  # begins the name of a field: `.gradient` of a step, `.optimizers` of the sheet


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


@cache
def reads(rule: Rule) -> frozenset[str]:
    """Return the names of the fact types in a rule's code, and after a point those of all attributes.

    The code is that of its functions, of all functions of ours that they refer to, and of the constants that they use.
    """
    met: dict[int, Any] = {}
    parts = (rule.detect, rule.compare, NEEDS.get(rule.needs))
    return frozenset(name for part in parts for name in _names(part, met))


def _names(value: object, met: dict[int, Any]) -> Iterator[str]:
    if isinstance(value, type) and issubclass(value, Fact):
        yield value.__name__
    elif isinstance(value, (tuple, list, set, frozenset, dict)) and id(value) not in met:
        met[id(value)] = value
        for one in (*value, *(value.values() if isinstance(value, dict) else ())):
            yield from _names(one, met)
    elif isinstance(value, FunctionType) and value.__module__.startswith(OURS) and id(value) not in met:
        met[id(value)] = value
        for code in _codes(value.__code__):
            yield from _of_code(code, value, met)


def _codes(code: CodeType) -> Iterator[CodeType]:
    yield code
    for one in code.co_consts:
        if isinstance(one, CodeType):
            yield from _codes(one)


def _of_code(code: CodeType, function: FunctionType, met: dict[int, Any]) -> Iterator[str]:
    for constant in code.co_consts:
        if constant != function.__doc__:
            yield from _names(constant, met)
    known = [function.__globals__.get(name) for name in code.co_names]
    ours = [one for one in known if isinstance(one, ModuleType) and one.__name__.startswith(OURS)]
    for name in code.co_names:
        yield f"{ATTRIBUTE}{name}"
        for module in ours:
            yield from _names(vars(module).get(name), met)
    for value in known:
        yield from _names(value, met)
