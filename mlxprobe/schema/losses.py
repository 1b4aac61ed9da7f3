"""What can be read off losses: how they fall, by model, and whether training got over those that are not finite."""

from __future__ import annotations

import itertools
import math
import statistics
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

from mlxprobe.protocol.fact import Fact
from mlxprobe.protocol.facts.losses import LossShare, Supervision
from mlxprobe.protocol.facts.updates import FirstUpdate
from mlxprobe.schema.observation import Observation, Reading, Sighting

MIN_TRAINING_SHARE = 0.02  # of the longest training's losses: a gradient that was computed once is no training
MOST_TRAININGS = 3  # that are named
CLEAR = 0.1  # relative
LONGER = 3  # readings beyond the longest stretch that was got over: the last one may still be


def trainings(losses: Sequence[Reading], begun: Collection[tuple[int, int]] = ()) -> list[list[Reading]]:
    """Return the losses of each training in the order in which they began, without such as had hardly any.

    Args:
        losses: by gradient call.
        begun: stream and gradient call from which on a model is in another training.
    """
    found: dict[tuple[int, int], list[Reading]] = {}
    for one in losses:
        part = sum(stream == one.stream and call <= one.step for stream, call in begun)
        found.setdefault((one.stream, part), []).append(one)
    most = max(map(len, found.values()), default=0)
    return [training for training in found.values() if len(training) >= min(most, max(2, MIN_TRAINING_SHARE * most))]


def is_mean(seen: Iterable[Sighting[Fact]]) -> bool:
    """Check whether each loss is known to be the mean of its positions', or of those of them that carry any."""
    known = {(at.file, at.line): at.fact for at in seen if isinstance(at.fact, LossShare)}.values()
    pairs = itertools.chain(*(zip(fact.scales, fact.shares, strict=False) for fact in known))
    off = [min(abs(scale - 1), abs(scale * share - 1)) for scale, share in pairs]
    return bool(off) and max(off) < CLEAR


def is_single_mean(seen: Sequence[Sighting[Fact]]) -> bool:
    """Check whether each loss is known to be such a mean and nothing more: chance says something of it."""
    terms = {at.fact.stream: at.fact for at in seen if isinstance(at.fact, Supervision)}.values()
    return is_mean(seen) and bool(terms) and all(one.supervised and one.single for one in terms)


def path(
    losses: Sequence[Reading], begun: Collection[tuple[int, int]] = (), calls: int = 0, names: Mapping[str, str] = {}
) -> str:
    """Write the first and last known loss of each training: one `then` another, or `and` where they take turns.

    Args:
        losses: by gradient call.
        begun: stream and gradient call from which on a model is in another training.
        calls: gradient calls of the run; where they are more than the losses, these are called sampled.
        names: of models by stream; named where there are two or three trainings of models of different classes.
    """
    found = trainings(losses, begun)
    text = _path(found, names)
    return f"{text} (sampled)" if text and sum(map(len, found)) < calls else text


def _path(found: list[list[Reading]], names: Mapping[str, str]) -> str:
    known = [names.get(str(training[0].stream), "") for training in found]
    named = len(found) > 1 and all(known) and len(set(known)) == len(found)
    first = [f"{name} " if named else "" for name in known]
    ends = [name + _ends([one.value for one in training]) for name, training in zip(first, found, strict=True)]
    if len(found) > MOST_TRAININGS:
        return f"{ends[0]}, …, {ends[-1]} (first and last of {len(found)} trainings)"
    told, last = ends[0] if ends else "", 0
    for k in range(1, len(found)):
        last = max(last, found[k - 1][-1].step)
        told += f"{', then' if found[k][0].step > last else ' and'} {ends[k]}"
    return told


def _ends(values: list[float]) -> str:
    return f"{values[0]:.4g} → {values[-1]:.4g}" if len(values) > 1 else f"{values[0]:.4g}"


def fall(seen: Observation) -> tuple[float, float] | None:
    """Return the medians of the first and the last fifth of the losses read; None with fewer than ten."""
    values = [one.value for one in seen.losses]
    if len(values) < 10:
        return None
    part = len(values) // 5
    return statistics.median(values[:part]), statistics.median(values[-part:])


def loss_deviation(seen: Observation, baseline: Observation) -> tuple[int, float] | None:
    """Return the first step of the largest relative deviation of two loss paths; None without common steps."""
    its = {one.step: one.value for one in baseline.losses}
    apart = [
        (abs(one.value - its[one.step]) / max(abs(its[one.step]), 1e-3), one.step)
        for one in seen.losses
        if one.step in its
    ]
    if not apart:
        return None
    worst, step = max(apart, key=lambda pair: (pair[0], -pair[1]))
    return step, worst


def unit(seen: Observation) -> str:
    """Name what losses are numbered by: steps, where each of these has one gradient call."""
    several = seen.has(FirstUpdate) and abs(seen.sheet.gradients - seen.sheet.updates) > 1
    return "gradient call" if several else "step"


def first_bad(seen: Observation) -> Reading | None:
    """Return the first loss that is not finite."""
    return next((one for one in seen.losses if not math.isfinite(one.value)), None)


def first_lasting(seen: Observation) -> Reading | None:
    """Return the first loss that is not finite, and none after it is; nothing where the run got over all of them.

    A weight that is not finite stays so: a finite loss afterwards proves that the program left the update out, as a
    loss scale that is looked for does.
    """
    found = (lasting([one for one in seen.losses if one.stream == k]) for k in {one.stream for one in seen.losses})
    return min((one for one in found if one is not None), key=lambda one: one.step, default=None)


def lasting(losses: list[Reading]) -> Reading | None:
    """Return the first of the losses at the end of one model's that are not finite, unless it has got over as many."""
    stretches = list(bad_stretches(losses))
    if not stretches or stretches[-1][-1] is not losses[-1]:
        return None
    got_over = max((len(one) for one in stretches[:-1]), default=0)
    return None if got_over and len(stretches[-1]) <= got_over + LONGER else stretches[-1][0]


def bad_stretches(losses: list[Reading]) -> Iterator[list[Reading]]:
    """Split off the stretches of losses that are not finite."""
    stretch: list[Reading] = []
    for one in losses:
        if not math.isfinite(one.value):
            stretch.append(one)
        elif stretch:
            yield stretch
            stretch = []
    if stretch:
        yield stretch
