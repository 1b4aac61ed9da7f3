"""What a path of losses says, whatever wrote it."""

from __future__ import annotations

import random
from typing import Any

import pytest

from mlxprobe.diagnosis.learning import not_learning
from mlxprobe.protocol.fact import Fact
from mlxprobe.protocol.facts.data import ConstantLevel
from mlxprobe.protocol.facts.losses import LossShare, Supervision, TwoClasses
from mlxprobe.protocol.facts.updates import Resumed
from mlxprobe.schema.enums import Severity
from mlxprobe.schema.observation import Limits, Observation, Reading, Sighting
from mlxprobe.schema.record import Finding
from mlxprobe.schema.run_summary import Model, Sheet

LIMITS = Limits(stall_s=1.0, startup_s=1.0, timeout_s=1.0, memory_bytes=1)
SUPERVISED = Supervision(stream=0, supervised=True)


def found(values: list[float], *facts: Fact, classes: int = 0, every: int = 1) -> list[Finding]:
    """Return what is told of one model's losses, at every so many calls, beside some facts."""
    losses = tuple(Reading(step=every * step, value=value) for step, value in enumerate(values, 1))
    sheet, sightings = Sheet(model=Model(classes=classes)), tuple(Sighting(fact=one) for one in facts)
    seen = Observation(program="p", limits=LIMITS, losses=losses, sheet=sheet, sightings=sightings)
    return list(not_learning(seen))


def messages(values: list[float], classes: int = 0) -> list[str]:
    return [one.message for one in found(values, classes=classes)]


def level(**known: Any) -> ConstantLevel:
    given: dict[str, Any] = {
        "stream": 0, "level": 0.0, "error": 0.0, "gain": 0.0, "gain_error": 0.0, "kind": "classes", "whole": True,
        "read": 0, "batches": 20, "alone": 0, "returns": False, "different": 10, "unseen": 0.0,
    }  # fmt: skip
    return ConstantLevel(**given | known)


def weighed(scale: float, share: float) -> LossShare:
    return LossShare(
        positions=1000, carrying=round(1000 * share), shares=(share,), scales=(scale,), padding=0, trained=0, read=0,
        tails=0, id=-1, marked=0, mark=0, padded=0, alone=0, amounts=False, looks=1, classes=0,
    )  # fmt: skip


def test_a_loss_that_ends_far_above_its_start_has_diverged_though_it_fell_from_its_peak() -> None:
    values = [4.0, 90_000.0, *(90_000.0 / step for step in range(2, 80))]
    assert messages(values) == ["the loss has diverged: 4 at first, and never below 1139 in the last third"]


@pytest.mark.parametrize(
    "values",
    [
        [4.0, 90_000.0, *(90_000.0 / 2**step for step in range(40))],  # a spike, and over it
        [2.0 + 0.2 * (step % 2) for step in range(10)] + [1.0 + 0.1 * (step % 3) for step in range(30)],
        [1.465, 0.779, 0.635, *(0.5 + 0.1 * ((step * 7) % 5 - 2) for step in range(45))],  # most is learnt at once
    ],
    ids=["spike", "fall", "at once"],
)
def test_a_loss_that_ends_below_its_start_is_learning(values: list[float]) -> None:
    assert messages(values) == []


def test_a_loss_of_zero_from_the_start_is_told_as_one_that_asks_for_nothing() -> None:
    assert messages([0.0] * 30) == ["the loss is zero at all 30 readings: it asks for nothing"]


def test_a_loss_that_has_come_to_chance_is_told_though_it_fell() -> None:
    values = [5.5, 5.3, 5.1, *[4.836282] * 40]
    assert messages(values, 126) == ["the loss has come to chance and stays there: ln 126 = 4.8363"]


@pytest.mark.parametrize(("kind", "told"), [("classes", 1), ("square", 0)])
def test_a_squared_error_has_no_chance_level_beside_a_model_that_has(kind: str, told: int) -> None:
    values = [3.06, 2.5, 2.1, *[1.79176] * 40]
    assert sum("chance" in one.message for one in found(values, SUPERVISED, level(kind=kind), classes=6)) == told


@pytest.mark.parametrize(
    "values",
    [
        [5.5, 5.3, 5.1, *(4.83 - 0.002 * step for step in range(40))],  # on its way through
        [5.5, 5.3, 5.1, *(4.836 + 0.003 * (step % 3) for step in range(40))],  # labels that nobody can know
    ],
    ids=["through", "around"],
)
def test_a_loss_near_chance_that_moves_is_not_told_as_one_that_stands_there(values: list[float]) -> None:
    assert messages(values, 126) == []


@pytest.mark.parametrize(("facts", "told"), [((SUPERVISED, TwoClasses(stream=0)), 1), ((SUPERVISED,), 0)])
def test_targets_of_zeros_and_ones_have_a_chance_level_whatever_the_loss_began_with(
    facts: tuple[Fact, ...], told: int
) -> None:
    values = [0.75, 0.72, 0.71, *(0.6931 + 0.002 * ((step * 7) % 5 - 2) for step in range(200))]
    beginnings = [one.message.partition(":")[0] for one in found(values, *facts)]
    assert beginnings == ["the loss has come to chance and stays there"] * told


def constant(values: list[float], *, supervised: bool = True) -> list[str]:
    compares, known = Supervision(stream=0, supervised=supervised), level(level=1.5, error=0.01, read=640)
    return [one.message for one in found(values, compares, known) if "constant" in one.message]


AT_LEVEL = [9.0 / step for step in range(1, 6)] + [1.52 + 0.05 * ((7 * step) % 5 - 2) for step in range(100)]


def test_a_loss_that_has_fallen_to_that_of_a_constant_and_stays_there_has_learned_nothing() -> None:
    (message,) = constant(AT_LEVEL)
    assert message.startswith(
        "the loss stays at 1.52, and a constant that looks at no input has 1.5 on the 640 targets"
    )


@pytest.mark.parametrize(
    "values",
    [
        [one - 0.2 for one in AT_LEVEL],  # lower than a constant's
        [one + 0.5 for one in AT_LEVEL],  # of another scale
        [2.0 - 0.005 * step for step in range(100)],  # on its way
        AT_LEVEL[:40],
    ],
    ids=["lower", "another scale", "falling", "short"],
)
def test_a_loss_that_is_elsewhere_or_falls_is_not_held_against_a_constant(values: list[float]) -> None:
    assert constant(values) == []


def test_a_loss_that_compares_with_no_target_is_not_held_against_a_constant() -> None:
    assert constant(AT_LEVEL, supervised=False) == []


@pytest.mark.parametrize(("gained", "told"), [(0.0, "warning"), (0.03, "note")])
def test_a_loss_that_is_a_little_below_a_constants_on_the_same_rows_may_be_all_that_can_be_had(
    gained: float, told: str
) -> None:
    """A weak signal: 2 % of the variance, which the level of other rows is too unsure to show."""
    known = level(level=1.5, error=0.05, read=640, kind="square", gain=gained, gain_error=0.005)
    (one,) = found([1.52 + 0.05 * ((7 * k) % 5 - 2) for k in range(1, 101)], SUPERVISED, known)
    assert str(one.severity) == told


@pytest.mark.parametrize(("start", "end", "severity"), [(6.4, 8.5, Severity.WARNING), (1.4, 1.6, Severity.NOTE)])
def test_weights_from_a_file_excuse_no_loss_above_chance(start: float, end: float, severity: Severity) -> None:
    values = [start + (end - start) * step / 40 for step in range(40)]
    told = found(values, SUPERVISED, Resumed(stream=0), weighed(2.5, 0.4), classes=512)
    assert [one.severity for one in told] == [severity]


@pytest.mark.parametrize(("resumed", "told"), [(True, 0), (False, 1)], ids=["goes on", "begins anew"])
def test_a_training_that_goes_on_from_a_file_is_judged_as_one(resumed: bool, told: int) -> None:
    """The first part, of 24 steps, is too noisy to show a fall, and the second shows it."""
    parts = [[2.3 + 0.2 * (step % 2) for step in range(24)], [1.6 - 0.01 * step for step in range(40)]]
    losses = tuple(
        Reading(step=24 * stream + step, value=value, stream=stream)
        for stream, part in enumerate(parts)
        for step, value in enumerate(part, 1)
    )
    facts: list[Fact] = [Supervision(stream=stream, supervised=True) for stream in range(2)]
    known = tuple(Sighting(fact=one, file="train.py", line=9) for one in facts + [Resumed(stream=1)] * resumed)
    seen = Observation(program="p", limits=LIMITS, losses=losses, sightings=known)
    assert len([one for one in not_learning(seen) if one.severity is Severity.WARNING]) == told


def ending(
    values: list[float], classes: int = 10, *, single: bool = True, scale: float = 1.0, every: int = 1, **known: Any
) -> list[Finding]:
    compares = Supervision(stream=0, supervised=True, single=single)
    constant = level(**{"level": 2.29, "error": 0.01, "read": 640} | known)
    return found(values, compares, weighed(scale, 1.0), constant, classes=classes, every=every)


def scattered(values: list[float], by: float = 0.05) -> list[float]:
    return [value + by * ((7 * k) % 5 - 2) for k, value in enumerate(values)]


UP_AND_BACK = scattered([2.3, 9.0, 30.0, 20.0, 12.0, 8.0, 5.0, 4.0, 3.5, 3.0, *[2.6] * 30])


def test_a_loss_that_went_up_and_ends_above_chance_is_a_warning() -> None:
    (one,) = ending(UP_AND_BACK)
    assert one.severity is Severity.WARNING
    assert one.message == (
        "the loss rose from 2.2 to 30.1 and ends at about 2.625, no lower than it began, above chance, ln 10 = 2.3026"
    )


@pytest.mark.parametrize("unsure", [{"single": False}, {"scale": 0.25}], ids=["something is added", "no mean"])
def test_a_loss_that_is_more_than_one_mean_has_no_chance_level(unsure: dict[str, object]) -> None:
    (one,) = ending(UP_AND_BACK, **unsure)  # type: ignore[arg-type]
    assert one.severity is Severity.NOTE and "chance" not in one.message
    assert ending(scattered([4.5] * 6 + [2.9] * 40), **unsure) == []  # type: ignore[arg-type]


def test_a_loss_that_stands_above_chance_is_a_warning_and_one_that_comes_down_to_it_is_a_note() -> None:
    stands = ending(scattered([4.5, 4.4, 4.3, 4.2] + [2.8] * 80))
    falls = ending(scattered([4.5 - 0.04 * k for k in range(45)]))
    assert [(one.severity, "above chance" in one.message) for one in (*stands, *falls)] == [
        (Severity.WARNING, True),
        (Severity.NOTE, True),
    ]


def test_a_loss_between_the_entropy_of_the_classes_and_chance_is_a_note() -> None:
    values = scattered([2.28 - 0.02 * k for k in range(40)])
    (one,) = ending(values, level=0.9)
    assert one.severity is Severity.NOTE and "a constant output has at most 0.92" in one.message
    assert ending(values, level=0.9, unseen=0.9) == []  # most classes were not read
    assert ending(values, level=0.9, read=40) == []


@pytest.mark.parametrize(("level", "told"), [(0.5, [Severity.WARNING]), (1.2, [])])
def test_a_squared_error_that_ends_above_the_variance_of_the_targets_is_a_warning(
    level: float, told: list[Severity]
) -> None:
    values = scattered([9.0 / k for k in range(1, 9)] + [0.9] * 70)
    assert [one.severity for one in ending(values, 0, kind="square", level=level)] == told


def test_a_loss_that_is_far_below_chance_may_rise_and_come_back() -> None:
    """A task that becomes harder, and is learned again."""
    values = scattered([0.2] * 6 + [0.9] * 10 + [0.3] * 30, by=0.01)
    assert [one.severity for one in ending(values)] == [Severity.NOTE]
    assert found(values, Supervision(stream=0, supervised=False, single=True)) == []


@pytest.mark.parametrize("seed", range(8))
def test_a_loss_that_falls_a_little_in_its_noise_has_not_come_back(seed: int) -> None:
    draws = random.Random(seed)
    values = [2.3 - 0.008 * k + draws.gauss(0, 0.08) for k in range(60)]
    assert ending(values) == []


@pytest.mark.parametrize(("every", "told"), [(1, 0), (4, 1)], ids=["short", "long"])
def test_a_run_is_as_long_as_its_gradient_calls_and_not_its_readings(every: int, told: int) -> None:
    values = [2.302585 + 0.004 * ((7 * k) % 5 - 2) for k in range(40)]
    values[:3] = [2.5, 2.4, 2.35]
    assert sum("come to chance" in one.message for one in ending(values, every=every)) == told
