"""Which losses of a run a reader is told of."""

from mlxprobe.schema.losses import trainings
from mlxprobe.schema.observation import Reading


def test_trainings_come_in_the_order_in_which_they_began() -> None:
    search = [Reading(step=n, value=1.6 + 0.05 * n, stream=0) for n in range(100)]
    training = [Reading(step=n, value=1.6 - 0.01 * n, stream=1) for n in range(100, 130)]
    assert [values[-1] for values in trainings([*search, *training])] == [search[-1].value, training[-1].value]


def test_a_gradient_that_was_looked_at_once_is_no_training() -> None:
    training = [Reading(step=n, value=2.0 - 0.01 * n, stream=0) for n in range(100)]
    assert trainings([*training, Reading(step=100, value=7.0, stream=1)]) == [[one.value for one in training]]
    assert trainings(training[:1]) == [[2.0]]
    assert trainings([]) == []
