"""What the parameters of each rank were at the same steps, by a few of their elements: pure."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass

from mlxprobe.protocol.facts.ranks import ParametersHashed
from mlxprobe.schema.observation import Observation, Sighting

Prints = dict[int, Sighting[ParametersHashed]]  # by step


@dataclass(frozen=True)
class Parting:
    """The first step at which ranks differ, and the last before it at which they did not (0: they never were alike)."""

    step: int
    equal_at: int
    parts: list[list[int]]
    distance: float
    elements: int
    place: tuple[str, int]


def prints(seen: Observation) -> Prints:
    """Return what is known of the parameters, by step."""
    return {fact.at: at for fact, at in seen.every(ParametersHashed)}


def first_apart(ranks: Mapping[int, Prints]) -> Parting | None:
    """Return where ranks first differ in the same parameters; None where they do not, or nothing can be compared."""
    equal_at = 0
    for step in _common(ranks):
        here = {rank: told[step].fact for rank, told in ranks.items()}
        if len({one.of for one in here.values()}) > 1:
            return None
        parts: dict[str, list[int]] = {}
        for rank, one in here.items():
            parts.setdefault(one.bits, []).append(rank)
        if len(parts) > 1:
            first = next(iter(here.values()))
            distance = max(_distance(first.values, one.values) for one in here.values())
            at = next(iter(ranks.values()))[step]
            return Parting(step, equal_at, sorted(parts.values()), distance, first.elements, (at.file, at.line))
        equal_at = step
    return None


def all_apart(ranks: Mapping[int, Prints], steps: Collection[int]) -> bool:
    """Tell whether no element that is told was the same on all ranks at any of these steps, as far as they are known.

    One step must be.
    """
    known = [step for step in _common(ranks) if step in steps]
    at = [[told[step].fact.values for told in ranks.values()] for step in known]
    return bool(known) and not any(len(set(each)) == 1 for here in at for each in zip(*here, strict=False))


def _common(ranks: Mapping[int, Prints]) -> list[int]:
    return sorted(set.intersection(*(set(one) for one in ranks.values()))) if len(ranks) > 1 else []


def _distance(a: tuple[float, ...], b: tuple[float, ...]) -> float:
    """Return |a - b| / |a|; infinity where one of them is not finite."""
    norm = math.sqrt(sum(x * x for x in a))
    apart = math.sqrt(sum((x - y) ** 2 for x, y in zip(a, b, strict=False)))
    return apart / norm if norm and math.isfinite(apart) else math.inf
