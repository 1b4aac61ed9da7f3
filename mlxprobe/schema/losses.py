"""What can be read off losses: how they fall, by model, and whether training got over those that are not finite."""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterator, Sequence

from mlxprobe.schema.observation import Observation, Reading

FEW = 0.02  # of the longest training's losses: a gradient that was looked at once is no training
LONGER = 3  # readings beyond the longest stretch that was got over: the last one may still be


def trainings(losses: Sequence[Reading]) -> list[list[float]]:
    """Return the losses of each model or function in the order in which they began, without such as had hardly any."""
    found: dict[int, list[float]] = {}
    for one in losses:
        found.setdefault(one.stream, []).append(one.value)
    most = max(map(len, found.values()), default=0)
    return [values for values in found.values() if len(values) >= min(most, max(2, FEW * most))]


def fall(seen: Observation) -> tuple[float, float] | None:
    """Return the medians of the first and the last fifth of the losses read; None with fewer than ten."""
    values = [one.value for one in seen.losses]
    if len(values) < 10:
        return None
    part = len(values) // 5
    return statistics.median(values[:part]), statistics.median(values[-part:])


def loss_deviation(seen: Observation, twin: Observation) -> tuple[int, float] | None:
    """Return the first step of the largest relative deviation of two loss paths; None without common steps."""
    its = {one.step: one.value for one in twin.losses}
    apart = [
        (abs(one.value - its[one.step]) / max(abs(its[one.step]), 1e-3), one.step)
        for one in seen.losses
        if one.step in its
    ]
    if not apart:
        return None
    worst, step = max(apart, key=lambda pair: (pair[0], -pair[1]))
    return step, worst


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
