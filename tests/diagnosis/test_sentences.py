"""Sentences of findings say no more than was seen."""

from __future__ import annotations

import math
from typing import Any

import making
import msgspec
import pytest

from mlxprobe.diagnosis import diagnose
from mlxprobe.protocol.fact import Fact
from mlxprobe.protocol.facts.compilation import Seeded
from mlxprobe.protocol.facts.data import TargetsTorn
from mlxprobe.protocol.facts.gradients import FirstGradient, ZeroGradient
from mlxprobe.protocol.facts.losses import NotFiniteOrigin, Supervision
from mlxprobe.protocol.facts.updates import FirstUpdate, GradientsUnused
from mlxprobe.protocol.facts.work import DetectorFailed
from mlxprobe.reports import diagnosis, summary
from mlxprobe.reports.diagnosis import advice
from mlxprobe.rules.registry import lower_rate
from mlxprobe.schema.enums import Outcome
from mlxprobe.schema.observation import Observation, Raised, Reading, Sighting, Step
from mlxprobe.schema.record import Finding
from mlxprobe.schema.run_summary import Optimizer, Sheet
from mlxprobe.verdict.remarks import remarks


def seen(*facts: Fact, **changes: Any) -> Observation:
    return making.seen(sightings=tuple(Sighting(fact=one, file="train.py", line=3) for one in facts), **changes)


def one(code: str, observed: Observation) -> Finding:
    (found,) = [found for found in diagnose(observed) if found.code == code]
    return found


DEAD = ("a.weight", "a.bias")
RATE = Optimizer(name="Adam", rates=((1, 1.0), (20, 1.0)), made_in="/somewhere/train.py", made_at=24)


@pytest.mark.parametrize(
    ("own", "share"), [(0, "2 of 8 gradients"), (4, "2 of 4 gradients"), (2, "all 2 gradients")], ids=str
)
def test_zero_gradients_are_counted_among_those_of_their_model(own: int, share: str) -> None:
    found = one("MP201", seen(ZeroGradient(count=2, of=8, paths=DEAD, own=own)))
    assert found.message == f"{share} are exactly zero: a.weight, a.bias"


def test_gradients_that_died_are_dated_by_the_last_other_value_and_the_rate_has_its_line() -> None:
    fact = ZeroGradient(count=2, of=8, paths=DEAD, alive=36)
    found = one("MP201", seen(fact, sheet=Sheet(optimizers=(RATE,))))
    assert found.message.endswith("; at step 36, but at no later sampled step, one of them was not")
    assert "a smaller learning rate than 1 (train.py:24), `optim.clip_grad_norm" in advice(found)


def test_the_rate_of_one_of_several_optimizers_is_not_named() -> None:
    assert lower_rate(seen(sheet=Sheet(optimizers=(RATE, RATE)))) == "a smaller learning rate"
    assert lower_rate(seen()) == "a smaller learning rate"


def test_a_loss_that_rose_is_reported_with_its_top() -> None:
    values = [1.41, 20.0, 75_900.0, 41_000.0, 40_380.0, 900.0, 8.0, 3.0] + [1.403] * 30
    losses = tuple(Reading(step=k, value=value) for k, value in enumerate(values, 1))
    steps = tuple(Step(n=n, t_s=0.1 * n, step_s=0.1) for n in range(1, len(values) + 1))
    observed = seen(FirstUpdate(), losses=losses, steps=steps, sheet=Sheet(updates=38, optimizers=(RATE,)))
    found = one("MP306", observed)
    assert found.message == "the loss rose from 1.41 to 7.59e+04 and ends at about 1.403, about where it began"
    assert "a smaller learning rate than 1 (train.py:24)" in advice(found)


@pytest.mark.parametrize(("calls", "number"), [(4_560, "gradient call"), (20, "step")])
def test_a_loss_is_numbered_by_gradient_calls_where_a_step_has_several(calls: int, number: str) -> None:
    fact = NotFiniteOrigin(
        kind="overflow", call=12, op="square", phase="forward", largest=2e20, elements=1, of=4, dtype="float32"
    )
    losses = tuple(Reading(step=k, value=1.0 if k < 12 else math.inf) for k in range(1, 20))
    sheet = Sheet(updates=19, gradients=calls)
    found = one("MP207", seen(FirstUpdate(), FirstGradient(), fact, losses=losses, sheet=sheet))
    assert found.message.startswith(f"the loss of {number} 12 is inf: `square` of numbers up to")
    assert found.instead == "smaller numbers or a smaller rate."


def test_a_loss_that_diverges_to_nan_is_judged_by_its_finite_values() -> None:
    values = [0.8 * 10.0 ** (k / 4) for k in range(60)] + [math.nan] * 60
    losses = tuple(Reading(step=k, value=value) for k, value in enumerate(values, 1))
    found = one("MP306", seen(Supervision(stream=0, supervised=True), losses=losses))
    assert found.message.endswith("in the last third of its finite values")


def test_a_run_without_an_update_is_advised_to_keep_what_it_computes() -> None:
    found = one("MP205", seen(GradientsUnused(gradients=400, optimizers=0)))
    assert "`model.update(parameters)`" in advice(found)


def test_advice_for_keys_and_for_rows_is_for_what_was_seen() -> None:
    found = one("MP503", seen(Seeded(what="key", of_data=True)))
    assert found.message.endswith("with the same key, one for each element of its data")
    assert "mx.random.split(key)" in advice(found) and "mx.random.state" not in advice(found)
    found = one("MP317", seen(TargetsTorn(again=41, same=1, chance=0.1, stream=0)))
    assert "one order for both" in advice(found)


ERROR = Raised(type="RuntimeError", message="[eval] no primitive. More words", traceback="")


@pytest.mark.parametrize(("raised", "told"), [(ERROR, False), (None, True)])
def test_the_error_that_ends_the_program_is_no_failure_of_mlxprobe(raised: Raised | None, told: bool) -> None:
    fact = DetectorFailed(detector="Units", error="RuntimeError: [eval] no primitive")
    names = [remark.name for remark in remarks(seen(fact, raised=raised))]
    assert ("mlxprobe failed" in names) is told


def test_steps_of_a_run_that_hangs_are_those_that_are_complete() -> None:
    row = msgspec.structs.replace(making.watched_row(Outcome.HANG), sheet=Sheet(updates=20, gradients=20))
    assert diagnosis.figures(row).startswith("20 steps complete, ")
    assert dict(summary.lines(row))["updates"] == "at least 20"
