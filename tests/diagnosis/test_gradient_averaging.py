"""What ranks make of their gradients, each beside a way to do it that is right."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from typing import Any

import msgspec
import pytest
from lanes import built, hashed, healthy

from mlxprobe.diagnosis import diagnose_ranks
from mlxprobe.diagnosis.ranks.reductions import _weights
from mlxprobe.protocol.fact import Fact
from mlxprobe.protocol.facts.losses import LossNotFinite
from mlxprobe.protocol.facts.ranks import GradientsRead, ParametersHashed, StatisticsRead, WeightsWritten
from mlxprobe.schema.enums import Severity
from mlxprobe.schema.observation import Observation, Sighting

STEPS, ELEMENTS, PLACE = (1, 2, 3, 4), 20, "/home/train.py:12"
Vector = list[float]
Makes = Callable[[list[list[Vector]]], Vector]


def drawn(*seed: object) -> Vector:
    return [random.Random(str((*seed, k))).gauss(0, 1) for k in range(ELEMENTS)]


def total(*parts: Vector) -> Vector:
    return [sum(some) for some in zip(*parts, strict=True)]


def times(much: float, part: Vector) -> Vector:
    return [much * one for one in part]


def ranks(
    makes: Makes,
    size: int = 2,
    calls: int = 1,
    same: bool = False,
    own: int = 0,
    explodes: bool = False,
    **changes: Any,
) -> list[Observation]:
    """Return ranks whose optimizers are given what `makes` makes of the gradients of all of them."""
    detail: dict[str, Any] = {"rows": 32, "sharded": False, "optimizer": "SGD", "scale": 1.0, "scaled_at": PLACE}
    detail |= changes
    seen: dict[int, list[Sighting[Fact]]] = {rank: [] for rank in range(size)}
    for step in STEPS:
        every = [[drawn(step, 0 if same else rank, call) for call in range(calls)] for rank in range(size)]
        given = makes(every)
        for rank, mine in enumerate(every):
            part = [*mine[0][:own], *given[own:]]
            values = tuple(float(f"{value:.7g}") for one in (*mine, part) for value in one)
            batch = (f"batch {step} {0 if same else rank}",)
            fact = GradientsRead(at=step, of="a b", sizes=(5, 15), calls=calls, values=values, batch=batch, **detail)
            seen[rank] += [hashed(step, f"p{step}" + f" of {rank}" * bool(own and step > 1), 1.0 + step * rank)]
            seen[rank] += [Sighting(fact=fact, step=step, file="train.py", line=30)]
            seen[rank] += [Sighting(fact=LossNotFinite(value="nan", call=step), step=step)] * explodes
    rows = built("gggg")
    return [healthy(rank, "gggg", size, sightings=tuple(seen[rank]), collectives=rows) for rank in range(size)]


def mean(every: list[list[Vector]]) -> Vector:
    parts = [one for calls in every for one in calls]
    return times(1 / len(parts), total(*parts))


def summed(every: list[list[Vector]]) -> Vector:
    return total(*(one for calls in every for one in calls))


def divided_twice(every: list[list[Vector]]) -> Vector:
    return times(1 / len(every), mean(every))


def first_alone(every: list[list[Vector]]) -> Vector:
    return every[0][0]


def weighted(every: list[list[Vector]]) -> Vector:
    return total(*(times(0.2 + 0.1 * rank, calls[0]) for rank, calls in enumerate(every)))


def clipped(every: list[list[Vector]]) -> Vector:
    return times(0.1 / max(map(abs, mean(every))), mean(every))


def again(every: list[list[Vector]]) -> Vector:
    kept = [[0.0] * ELEMENTS for _ in every]
    for call in range(len(every[0])):
        kept = [total(*(total(one, calls[call]) for one, calls in zip(kept, every, strict=True)))] * len(every)
    return times(1 / (len(every) * len(every[0])), kept[0])


def told(seen: Sequence[Observation]) -> list[tuple[str, Severity, str, int, tuple[int, ...]]]:
    return [(one.code, one.severity, one.file.rpartition("/")[2], one.line, one.ranks) for one in diagnose_ranks(seen)]


WARNING = Severity.WARNING
WRONG = [
    ("all have one batch", ranks(mean, same=True), ("MP706", WARNING, "train.py", 30, (0, 1))),
    ("divided twice", ranks(divided_twice), ("MP706", WARNING, "train.py", 31, (0, 1))),
    ("divided twice, of a loss of the user's own", ranks(divided_twice, 3, scale=0.0),
     ("MP706", WARNING, "train.py", 31, (0, 1, 2))),
    ("the loss divided too", ranks(mean, 4, scale=0.25), ("MP706", WARNING, "train.py", 12, (0, 1, 2, 3))),
    ("a sum that explodes", ranks(summed, explodes=True), ("MP706", WARNING, "train.py", 31, (0, 1))),
    ("rank 0's alone", ranks(first_alone), ("MP706", WARNING, "train.py", 31, (1,))),
    ("reduced with each micro-step", ranks(again, calls=3), ("MP706", WARNING, "train.py", 31, (0, 1))),
    ("parts of layers and other batches", ranks(mean, sharded=True), ("MP705", WARNING, "train.py", 30, (0, 1))),
]  # fmt: skip
RIGHT = [
    ("averaged", ranks(mean)),
    ("accumulated", ranks(mean, calls=3)),
    ("clipped", ranks(clipped)),
    ("weighed by what each has", ranks(weighted, 3)),
    ("summed of shares of the loss", ranks(summed, scale=0.5)),
    ("summed, and it trains", ranks(summed)),
    ("half a squared error", ranks(mean, scale=0.5)),
    ("a sum over rows, divided by all of them", ranks(divided_twice, 4, rows=4, scale=0.0)),
    ("divided twice, and Adam does not care", ranks(divided_twice, optimizer="Adam")),
    ("parts of layers and one batch", ranks(mean, same=True, sharded=True)),
    ("each its own", ranks(lambda every: drawn("other"))),
]


@pytest.mark.parametrize(("seen", "right"), [row[1:] for row in WRONG], ids=[row[0] for row in WRONG])
def test_what_is_no_mean_over_all_ranks_is_told(seen: Sequence[Observation], right: tuple[Any, ...]) -> None:
    assert told(seen) == [right]


@pytest.mark.parametrize("seen", [row[1] for row in RIGHT], ids=[row[0] for row in RIGHT])
def test_what_is_one_or_may_be_meant_is_not(seen: Sequence[Observation]) -> None:
    assert told(seen) == []


@pytest.mark.parametrize(("own", "names"), [(5, "a"), (20, ""), (7, "")])
def test_parameters_whose_gradients_are_not_averaged_beside_others(own: int, names: str) -> None:
    found = [one.message for one in diagnose_ranks(ranks(mean, own=own)) if one.code == "MP706"]
    assert found == [f"the gradients of {names} are each rank's own, and those of others are averaged"] * bool(names)


def test_ranks_that_keep_what_is_their_own_have_a_head_each() -> None:
    for files, codes in ((["head-0", "head-1"], []), (["all", "all"], ["MP706"]), (["all"], ["MP706"])):
        seen = ranks(mean, own=5)
        for k, file in enumerate(files):
            written = Sighting(fact=WeightsWritten(path=file), step=4)
            seen[k] = msgspec.structs.replace(seen[k], sightings=(*seen[k].sightings, written))
        assert [one.code for one in diagnose_ranks(seen) if one.code == "MP706"] == codes


def test_a_batch_that_never_changes_is_a_toy() -> None:
    toys = []
    for rank, one in enumerate(ranks(mean, same=True)):
        read = [
            msgspec.structs.replace(at, fact=GradientsRead(**fact.as_dict() | {"batch": ("one",)}))
            for fact, at in one.every(GradientsRead)
        ]
        prints = [at for _, at in one.every(ParametersHashed)]
        toys.append(healthy(rank, "gggg", sightings=(*prints, *read)))
    assert told(toys) == []


def statistics(mean: float, rows: int = 32) -> Sighting[Fact]:
    fact = StatisticsRead(path="layers.1", mean=(mean,) * 4, deviation=(1.0,) * 4, rows=rows)
    return Sighting(fact=fact, step=4, file="train.py", line=30)


@pytest.mark.parametrize(("apart", "rows", "codes"), [(2.0, 32, ["MP705"]), (0.2, 32, []), (0.9, 2, []), (0.0, 32, [])])
def test_batch_statistics_that_differ_by_more_than_chance(apart: float, rows: int, codes: list[str]) -> None:
    seen = [
        healthy(rank, "gggg", sightings=(hashed(1, "a", 1.0), hashed(2, "b", 1.0), statistics(rank * apart, rows)))
        for rank in (0, 1)
    ]
    assert [row[0] for row in told(seen)] == codes


def test_weights_are_found_again_and_only_where_they_are_known() -> None:
    parts = [tuple(drawn(k)) for k in range(3)]
    whole = tuple(total(*(times(much, list(part)) for much, part in zip((0.5, 0.0, -2.0), parts, strict=True))))
    assert _weights(parts, whole) == pytest.approx([0.5, 0.0, -2.0], abs=1e-9)
    assert _weights([parts[0], parts[0]], whole) is None
    assert _weights(parts[:2], tuple(drawn("other"))) is None
