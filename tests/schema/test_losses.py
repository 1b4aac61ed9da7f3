"""Which losses of a run a reader is told of."""

import pytest

from mlxprobe.protocol.facts.losses import LossShare, Supervision
from mlxprobe.schema.losses import is_single_mean, trainings
from mlxprobe.schema.observation import Reading, Sighting


def test_trainings_come_in_the_order_in_which_they_began() -> None:
    search = [Reading(step=n, value=1.6 + 0.05 * n, stream=0) for n in range(100)]
    training = [Reading(step=n, value=1.6 - 0.01 * n, stream=1) for n in range(100, 130)]
    assert [values[-1] for values in trainings([*search, *training])] == [search[-1], training[-1]]


def test_a_gradient_that_was_looked_at_once_is_no_training() -> None:
    training = [Reading(step=n, value=2.0 - 0.01 * n, stream=0) for n in range(100)]
    assert trainings([*training, Reading(step=100, value=7.0, stream=1)]) == [training]
    assert trainings(training[:1]) == [training[:1]]
    assert trainings([]) == []


def share(scale: float) -> LossShare:
    return LossShare(
        positions=64,
        carrying=64,
        shares=(1.0,),
        scales=(scale,),
        padding=0,
        trained=0,
        read=0,
        tails=0,
        id=-1,
        marked=0,
        mark=0,
        alone=0,
        padded=0,
        amounts=False,
        looks=1,
        classes=4,
    )


@pytest.mark.parametrize(
    ("scales", "single", "right"),
    [
        ((1.0,), (True,), True),
        ((4_194_304.0,), (True,), False),
        ((1.0, 0.3), (True, False), False),
        ((1.0,), (True, False), False),
        ((), (True,), False),
        ((1.0,), (), False),
    ],
    ids=["a mean", "scaled", "distillation", "a second term", "no weights", "nothing known of the terms"],
)
def test_a_mean_is_one_where_weights_and_terms_show_it(
    scales: tuple[float, ...], single: tuple[bool, ...], right: bool
) -> None:
    shares = [Sighting(fact=share(one), file="a.py", line=k) for k, one in enumerate(scales)]
    terms = [Sighting(fact=Supervision(stream=k, supervised=True, single=one)) for k, one in enumerate(single)]
    assert is_single_mean([*shares, *terms]) is right
