"""What was made of the gradients of all ranks, by a few of their elements: pure."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from mlxprobe.protocol.facts.ranks import GradientsRead
from mlxprobe.protocol.least_squares import fit, length, less, total
from mlxprobe.schema.observation import Observation

Vector = tuple[float, ...]
SAME = 1e-3  # of a length
NEAR = 0.02  # of a factor
NONE = 1e-2  # of the largest weight


@dataclass(frozen=True)
class Read:
    """What a rank's gradient calls of a step gave, and what its optimizer was given; `scale` of the loss, or 0."""

    of: str
    calls: tuple[Vector, ...]
    given: Vector
    sizes: tuple[int, ...]  # of the parts of each that are of one parameter
    batch: tuple[str, ...]
    rows: int
    sharded: bool
    optimizer: str
    scale: float
    place: tuple[str, int]
    scaled_at: tuple[str, int]


@dataclass(frozen=True)
class Verdict:
    """What is wrong with a step: its kind, and the ranks or the parameters that it is about."""

    kind: str
    ranks: tuple[int, ...] = ()
    names: tuple[str, ...] = ()
    by_loss: bool = False


def reads(seen: Observation) -> dict[int, Read]:
    """Return what is known, by step."""
    found: dict[int, Read] = {}
    for fact, at in seen.every(GradientsRead):
        if not 0 <= fact.calls <= len(fact.values):  # no run has that
            continue
        size = len(fact.values) // (fact.calls + 1)
        *calls, given = [fact.values[k * size : (k + 1) * size] for k in range(fact.calls + 1)]
        file, _, line = fact.scaled_at.rpartition(":")
        found[fact.at] = Read(
            of=fact.of,
            calls=tuple(calls),
            given=given,
            sizes=fact.sizes,
            batch=fact.batch,
            rows=fact.rows,
            sharded=fact.sharded,
            optimizer=fact.optimizer,
            scale=fact.scale,
            place=(at.file, at.line),
            scaled_at=(file, int(line or 0)),
        )
    return found


def verdicts(ranks: Mapping[int, Mapping[int, Read]]) -> Iterator[tuple[int, dict[int, Read], Verdict | None]]:
    """Judge each step that is known of all ranks, as far as they hold the same gradients."""
    for step in sorted(set.intersection(*(set(one) for one in ranks.values()))) if len(ranks) > 1 else ():
        here = {rank: told[step] for rank, told in ranks.items()}
        alike = len({(one.of, len(one.calls), len(one.given)) for one in here.values()}) == 1
        if alike and all(math.isfinite(sum(map(sum, (*one.calls, one.given)))) for one in here.values()):
            yield step, here, _verdict(here)


def _verdict(here: Mapping[int, Read]) -> Verdict | None:
    every = list(here.values())
    given = every[0].given
    if any(one.sharded for one in every):
        others = all(one.batch for one in every) and all(len(set(row)) == len(every) for row in _rows(every))
        return Verdict("other batches") if others else None
    if not length(given) or any(_differ(one.given, given) for one in every):
        return _by_parameters(every)
    if len({(one.calls, one.batch) for one in every}) == 1 and every[0].batch:
        return Verdict("alike")
    factor = _weights([total([total(one.calls) for one in every])], given)
    if factor is not None:
        return _by_factor(factor[0], every)
    return _by_calls(here, given) if len(every[0].calls) > 1 else _by_ranks(here, given)


def _by_parameters(every: Sequence[Read]) -> Verdict | None:
    """Name the parameters whose gradients are each rank's own, where those of others are the same on all."""
    own: list[str] = []
    same = 0
    for name, part in zip(every[0].of.split(), _parts(every[0].sizes), strict=False):
        given = [one.given[part] for one in every]
        mine = [one.calls[0][part] for one in every]
        if all(length(one) and _differ(one, given[0]) for one in given[1:]) and given == mine:
            own.append(name)
        same += not any(_differ(one, given[0]) for one in given) and all(_differ(one, mine[0]) for one in mine[1:])
    return Verdict("partly", names=tuple(own)) if own and same and len(every[0].calls) == 1 else None


def _parts(sizes: Sequence[int]) -> Iterator[slice]:
    ends = list(itertools.accumulate(sizes))
    yield from (slice(end - size, end) for size, end in zip(sizes, ends, strict=True))


def _differ(a: Vector, b: Vector) -> bool:
    return length(less(a, b)) > SAME * length(b)


def _by_calls(here: Mapping[int, Read], given: Vector) -> Verdict | None:
    """Judge how much each micro-step counts."""
    every = list(here.values())
    weights = _weights([total(some) for some in zip(*(one.calls for one in every), strict=True)], given)
    ratios = [a / b if b else math.inf for a, b in itertools.pairwise(weights or ())]
    return Verdict("reduced again") if ratios and all(_near(one, len(every)) for one in ratios) else None


def _by_ranks(here: Mapping[int, Read], given: Vector) -> Verdict | None:
    """Judge how much each rank counts."""
    weights = _weights([one.calls[0] for one in here.values()], given)
    most = max(map(abs, weights or [0.0]))
    left = [rank for rank, weight in zip(here, weights or (), strict=False) if abs(weight) < NONE * most]
    return Verdict("left out", tuple(left)) if left else None


def _by_factor(factor: float, every: Sequence[Read]) -> Verdict | None:
    """Judge what all gradients alike were multiplied by, beside what the loss was: a mean of means, or not."""
    size, scales = len(every), {one.scale for one in every}
    scale = scales.pop() if len(scales) == 1 else 0.0
    if len(every[0].calls) > 1:
        return None
    others = size > 2 and all(one.rows != size for one in every)  # else a sum of rows is divided by all of them
    if _near(factor, 1 / size**2) and (others or _near(scale, 1.0)):
        return Verdict("divided twice")
    if _near(factor, 1 / size) and _near(scale, 1 / size) and size > 2:  # half a squared error is usual
        return Verdict("divided twice", by_loss=True)
    return Verdict("summed") if _near(factor, 1.0) and _near(scale, 1.0) else None


def _rows(every: Sequence[Read]) -> Iterator[tuple[str, ...]]:
    yield from zip(*(one.batch for one in every), strict=False)


def _weights(parts: Sequence[Sequence[float]], whole: Vector) -> tuple[float, ...] | None:
    """Return the weights by which the parts add up to the whole; None where they do not, or several ways do."""
    found = fit(parts, whole)
    return found.weights if found is not None and found.left <= SAME * length(whole) else None


def _near(value: float, wanted: float) -> bool:
    return abs(value - wanted) <= NEAR * wanted
