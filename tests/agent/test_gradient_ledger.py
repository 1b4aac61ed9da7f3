"""Updates explained by the gradient calls before them: summed, left out, carried over, given again, of another."""

from __future__ import annotations

import os
from collections.abc import Callable
from itertools import count

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim
import pytest

from mlxprobe.agent.inspectors.gradients.accumulation import Accumulation
from mlxprobe.agent.inspectors.gradients.misplaced_gradients import Misplaced
from mlxprobe.agent.inspectors.gradients.provenance import Provenance
from mlxprobe.agent.recording.gradient_call import Call
from mlxprobe.agent.recording.recorder import Recorder
from mlxprobe.agent.sampling.dispatcher import Inspection
from mlxprobe.agent.wire.channel import Channel
from mlxprobe.protocol.fact import Fact

KINDS = Provenance, Accumulation, Misplaced
Gradients = dict[str, mx.array]
NUMBERS = {"calls", "share", "of"}


class Training:
    """Two models, their gradient calls and updates, each step of which is sampled."""

    def __init__(self) -> None:
        self.told: list[Fact] = []
        recorder = Recorder(Channel(os.open(os.devnull, os.O_WRONLY)))
        recorder._send = lambda fact, *_: self.told.append(fact)  # type: ignore[method-assign]
        self.inspection, self.recorder = Inspection(recorder, KINDS), recorder
        self.model, self.other, self.optimizer = nn.Linear(3, 4), nn.Linear(3, 4), optim.SGD(0.1)
        self.keys = map(mx.random.key, count())

    def call(self, model: nn.Module | None = None, *, pending: bool = False) -> Gradients:
        model = model or self.model
        gradients = {name: mx.random.normal(one.shape, key=next(self.keys)) for name, one in model.parameters().items()}
        mx.eval(model.parameters())
        if not pending:
            mx.eval(gradients)
        made = Call(
            model=model, parameters=model.parameters(), data={}, loss=None, gradients=gradients, site=("train.py", 1)
        )
        self.inspection.called(lambda: made)
        return gradients

    def update(self, gradients: Gradients, model: nn.Module | None = None) -> None:
        mx.eval(gradients)
        self.inspection.updating(model or self.model, self.optimizer, gradients)
        self.optimizer.update(model or self.model, gradients)
        self.recorder.updates += 1

    def ends(self) -> None:
        self.inspection.look(self.recorder.updates, 0.0)
        self.inspection.due = True


def added(calls: list[Gradients], weight: float = 1.0) -> Gradients:
    return {name: weight * sum((one[name] for one in calls[1:]), calls[0][name]) for name in calls[0]}


def summed(run: Training) -> None:
    run.update(added([run.call() for _ in range(4)]))


def averaged(run: Training) -> None:
    run.update(added([run.call() for _ in range(4)], 0.25))


def the_last_alone(run: Training) -> None:
    run.update([run.call() for _ in range(3)][-1])


def the_last_of_lazy_ones(run: Training) -> None:
    run.update([run.call(pending=True) for _ in range(3)][-1])


def of_another(run: Training) -> None:
    gradients = run.call()
    run.update(gradients)
    run.call(run.other, pending=True)
    run.update(gradients, run.other)


def given_twice(run: Training) -> None:
    gradients = run.call()
    run.update(gradients)
    run.update(added([gradients], 0.5))


def two_models(run: Training) -> None:
    gradients, others = run.call(), run.call(run.other)
    run.update(gradients)
    run.update(others, run.other)


def clipped(run: Training) -> None:
    run.update({name: mx.clip(one, -0.1, 0.1) for name, one in added([run.call(), run.call()]).items()})


def facts(step: Callable[[Training], object], steps: int = 5) -> list[Fact]:
    run = Training()
    for _ in range(steps):
        step(run)
        run.ends()
    return run.told


def carried() -> Callable[[Training], None]:
    before: list[Gradients] = []

    def step(run: Training) -> None:
        before.append(run.call())
        run.update(added(before))

    return step


@pytest.mark.parametrize(
    ("step", "told"),
    [
        (summed, {("GradientsAccumulated", 4, 1.0)}),
        (averaged, {("GradientsAccumulated", 4, 0.25)}),
        (the_last_alone, {("GradientsDropped", 2, 3)}),
        (the_last_of_lazy_ones, {("GradientsDropped", 2, 3)}),
        (of_another, {("GradientsOfAnother",)}),
        (given_twice, {("AppliedAgain",)}),
        (carried(), {("NotCleared", 1)}),
        (two_models, set()),
        (clipped, set()),
    ],
    ids=lambda one: getattr(one, "__name__", ""),
)
def test_an_update_is_explained_by_the_gradients_before_it(
    step: Callable[[Training], None], told: set[tuple[object, ...]]
) -> None:
    found = {
        (type(fact).__name__, *(round(value, 5) for name, value in fact.as_dict().items() if name in NUMBERS))
        for fact in facts(step)
    }
    assert found == told


def test_what_is_left_over_is_measured_by_what_is_usual() -> None:
    def step(run: Training) -> None:
        calls = [run.call() for _ in range(6 if run.recorder.updates == 3 else 4)]
        run.update(added(calls[-4:]))

    assert ("GradientsDropped", 2, 6) in {
        (type(one).__name__, *list(one.as_dict().values())[:2]) for one in facts(step)
    }


def test_parameters_that_are_perturbed_in_between_need_each_gradient() -> None:
    def step(run: Training) -> None:
        run.call()
        run.model.update({name: one + 0.1 for name, one in run.model.parameters().items()})
        run.update(run.call())

    assert facts(step) == []


def test_a_trial_that_is_taken_back_is_not_a_second_update() -> None:
    def step(run: Training) -> None:
        gradients, before = run.call(), dict(run.model.parameters())
        run.update(gradients)
        run.model.update(before)
        run.update(gradients)

    assert facts(step) == []
