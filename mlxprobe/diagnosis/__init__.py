"""Observation in, findings out: pure. One file per family; each finding registers itself with `@finding`.

What ranks show only together is in `ranks/`, what errors of MLX's backends mean in `errors/`.
"""

from __future__ import annotations

import importlib
import pkgutil
import sys
import traceback
from collections.abc import Sequence
from pathlib import PurePath

import msgspec

from mlxprobe.diagnosis.finding_causality import explained
from mlxprobe.rules.registry import FAMILIES, RULES, Rule, finding, ranks_finding
from mlxprobe.schema.from_record import by_rank, jobs
from mlxprobe.schema.metrics import callers
from mlxprobe.schema.observation import Observation
from mlxprobe.schema.record import Finding, Unchecked

__all__ = [
    "FAMILIES",
    "RULES",
    "Rule",
    "diagnose",
    "diagnose_jobs",
    "diagnose_ranks",
    "examined",
    "finding",
    "ranks_finding",
    "unchecked",
]

for _package in (importlib.import_module("mlxprobe.rules"), sys.modules[__name__]):
    for _module in pkgutil.walk_packages(_package.__path__, f"{_package.__name__}."):
        importlib.import_module(_module.name)


def diagnose(seen: Observation, beside: Sequence[Finding] = ()) -> tuple[Finding, ...]:
    """Return every finding of every rule, in the order of their codes; of those with one cause the gravest.

    `beside` are those of all ranks together (see `diagnose_ranks`), which may explain what one of them shows.
    """
    return examined(seen, beside)[0]


def examined(seen: Observation, beside: Sequence[Finding] = ()) -> tuple[tuple[Finding, ...], tuple[Unchecked, ...]]:
    """Return what `diagnose` does, and the rules that failed: hours of a run are worth a report."""
    led, texts = callers(seen), {(one.file, one.line): one.source for one in seen.sightings}
    answers = [_found(RULES[code], seen) for code in sorted(RULES)]
    every = explained((*(one for found, _ in answers for one in found), *beside))
    found = (((one.file, one.line), one) for one in every)
    findings = tuple(
        msgspec.structs.replace(one, source=one.source or texts.get(at, ""), caller=one.caller or led.get(at))
        for at, one in found
    )
    return findings, tuple(failed for _, failed in answers if failed is not None)


def _found(one: Rule, seen: Observation) -> tuple[tuple[Finding, ...], Unchecked | None]:
    """Return the findings of a rule; where it fails, the failure."""
    try:
        return tuple(one.detect(seen)), None
    except Exception as error:
        where = traceback.extract_tb(error.__traceback__)[-1]
        why = f"the rule failed: {error!r} at {PurePath(where.filename).name}:{where.lineno}"
        return (), Unchecked(code=one.code, name=one.name, why=why)


def diagnose_ranks(seen: Sequence[Observation]) -> tuple[Finding, ...]:
    """Return what the ranks of one run show only together, each with those that it names; nothing of a single one."""
    ranks = by_rank(seen)
    found = (one for code in sorted(RULES) for one in RULES[code].compare(ranks)) if len(ranks) > 1 else ()
    return explained(msgspec.structs.replace(one, together=True) for one in found)


def diagnose_jobs(seen: Sequence[Observation]) -> tuple[Finding, ...]:
    """Return what ranks show only together, of each job by itself."""
    return tuple(found for job in jobs(seen) for found in diagnose_ranks(job))


def unchecked(seen: Observation) -> tuple[Unchecked, ...]:
    """Return what could not be judged, with the reason (see `mlxprobe.diagnosis.unchecked`)."""
    from mlxprobe.diagnosis.unchecked import unchecked as gaps

    return gaps(seen)
