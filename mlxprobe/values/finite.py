"""Losses that are not finite, and whether training got over them."""

from __future__ import annotations

import math
from collections.abc import Iterator

from mlxprobe.values.observation import Observation, Reading

LONGER = 3  # readings beyond the longest stretch that was got over: the last one may still be


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
