"""What a path of losses says, whatever wrote it."""

from __future__ import annotations

import pytest

from mlxprobe.diagnosis.learning import not_learning
from mlxprobe.values.observation import Limits, Observation, Reading

LIMITS = Limits(stall_s=1.0, startup_s=1.0, timeout_s=1.0, memory_bytes=1)


def messages(values: list[float]) -> list[str]:
    losses = tuple(Reading(step=step, value=value) for step, value in enumerate(values, 1))
    return [one.message for one in not_learning(Observation(program="p", limits=LIMITS, losses=losses))]


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
