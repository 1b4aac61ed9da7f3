"""A masked loss that is divided by all positions is told where its weights prove it; padding, where all counts."""

from __future__ import annotations

import math

import making
import pytest

from mlxprobe.diagnosis import diagnose
from mlxprobe.diagnosis.losses import loss_share
from mlxprobe.protocol.facts.data import IdOutOfRange, TargetsFollowInputs
from mlxprobe.protocol.facts.losses import LossShare
from mlxprobe.protocol.facts.models import CausalityTested
from mlxprobe.schema.observation import Sighting
from mlxprobe.schema.run_summary import Sheet

NO_PADDING = {"padding": 0, "trained": 0, "read": 500, "tails": 1, "id": 0}
PADDING = {"padding": 100, "trained": 100, "read": 500, "tails": 5, "id": 7}
ONE = (1.0, 1.001, 0.999)


def told(shares: tuple[float, ...], scales: tuple[float, ...], calls: int = 1, **padding: int) -> list[str]:
    fact = LossShare(
        positions=1000,
        carrying=round(1000 * sum(shares) / len(shares)),
        shares=shares,
        scales=scales,
        looks=len(shares),
        marked=0,
        mark=0,
        padded=0,
        alone=0,
        amounts=True,
        classes=0,
        **(padding or NO_PADDING),
    )
    one = Sighting(fact=fact, file="train.py", line=3)
    seen = making.seen(sightings=(one,), sheet=Sheet(updates=20, gradients=20 * calls))
    return [one.message.partition(",")[0].partition(":")[0] for one in loss_share(seen)]


DIVIDED = ["the loss is divided by all positions"]
LOOKS = [
    ("shares that vary, and weights that do not", (0.4, 0.6, 0.5), ONE, 1, DIVIDED),
    ("the weights of a mean over all of an update's calls", (0.4, 0.6, 0.5), (0.25,) * 3, 4, DIVIDED),
    ("one share, of which no simple factor makes a mean", (0.62,) * 3, ONE, 1, DIVIDED),
    ("one share, which a factor of a half can make a mean", (0.5,) * 3, ONE, 1, []),
    ("weights of what carries", (0.4, 0.6), (2.5, 1.667), 1, []),
    ("a fourth in the weights, and one call for each update", (0.4, 0.6, 0.5), (0.25,) * 3, 1, []),
    ("weights that differ within a call", (0.4, 0.6), (math.nan, 1.0), 1, []),
    ("nearly all", (0.97, 0.99), (1.0, 1.0), 1, []),
    ("all", (1.0, 1.0), (1.0, 1.0), 1, []),
    ("a single look", (0.62,), (1.0,), 1, []),
]


@pytest.mark.parametrize(("shares", "scales", "calls", "right"), [row[1:] for row in LOOKS], ids=[r[0] for r in LOOKS])
def test_a_mean_of_all_is_told_where_its_weights_are(
    shares: tuple[float, ...], scales: tuple[float, ...], calls: int, right: list[str]
) -> None:
    assert told(shares, scales, calls) == right


TAILS = [
    ("all of it", {}, ["padding carries loss"]),
    ("not where a mask leaves some out", {"trained": 99}, []),
    ("not where rows are of two lengths", {"tails": 2}, []),
    ("not where it is next to nothing", {"read": 5000}, []),
]


@pytest.mark.parametrize(("change", "right"), [row[1:] for row in TAILS], ids=[row[0] for row in TAILS])
def test_padding_that_carries_loss_is_told(change: dict[str, int], right: list[str]) -> None:
    assert told((1.0, 1.0), (1.0, 1.0), **(PADDING | change)) == right


@pytest.mark.parametrize("beyond", [False, True])
def test_a_leak_is_not_told_where_ids_read_what_lies_beyond_their_table(beyond: bool) -> None:
    leak = Sighting(fact=CausalityTested(model="Net", leaks=True), file="train.py", line=3)
    follow = Sighting(fact=TargetsFollowInputs(), file="train.py", line=4)
    outside = Sighting(fact=IdOutOfRange(kind="embedding", low=0, high=9, limit=8), file="train.py", line=5)
    found = {one.code for one in diagnose(making.seen(sightings=(leak, follow, *([outside] * beyond))))}
    assert ("MP307" in found, "MP304" in found) == (not beyond, beyond)
