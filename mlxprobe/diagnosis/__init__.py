"""Observation in, findings out: pure. One file per family; each finding registers itself with `@finding`."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable, Iterator

import msgspec

from mlxprobe.diagnosis.causes import explained
from mlxprobe.diagnosis.registry import RULES, Rule, finding, rule
from mlxprobe.values.measures import callers
from mlxprobe.values.observation import Observation
from mlxprobe.values.record import Finding

__all__ = ["RULES", "Rule", "diagnose", "finding", "rule", "unchecked"]

for _module in pkgutil.iter_modules(__path__):
    importlib.import_module(f"{__name__}.{_module.name}")

Detector = Callable[[Observation], Iterator[Finding]]


def diagnose(seen: Observation) -> tuple[Finding, ...]:
    """Return every finding of every rule, in the order of their codes; of those with one cause the gravest."""
    led, texts = callers(seen), {(one.file, one.line): one.source for one in seen.facts}
    every = explained(one for code in sorted(RULES) for one in RULES[code].detect(seen))
    found = (((one.file, one.line), one) for one in every)
    return tuple(msgspec.structs.replace(one, source=texts.get(at, ""), caller=led.get(at)) for at, one in found)


def unchecked(seen: Observation) -> tuple[Finding, ...]:
    """Return what could not be judged, with the reason (see `mlxprobe.diagnosis.gaps`)."""
    from mlxprobe.diagnosis.gaps import unchecked as gaps

    return gaps(seen)
