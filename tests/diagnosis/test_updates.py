"""What an update is made of, and what an exception leaves undone; what a pass without evaluation is counted in."""

from __future__ import annotations

import pytest

from mlxprobe.diagnosis.evaluation import unevaluated_pass
from mlxprobe.diagnosis.updates import dropped_gradients, shrinking_weights
from mlxprobe.protocol.facts.models import UnevaluatedPass
from mlxprobe.protocol.facts.updates import GradientsDropped
from mlxprobe.schema.observation import Limits, Observation, Raised, Sighting
from mlxprobe.schema.run_summary import Optimizer, Sheet

LIMITS = Limits(stall_s=1.0, startup_s=1.0, timeout_s=1.0, memory_bytes=1)


@pytest.mark.parametrize(("at_end", "raised", "told"), [(True, True, 0), (True, False, 1), (False, True, 1)])
def test_gradients_that_an_exception_left_unapplied_were_not_forgotten(at_end: bool, raised: bool, told: int) -> None:
    fact = GradientsDropped(calls=2, of=4, at_end=at_end)
    error = Raised(type="OSError", message="disk full", traceback="") if raised else None
    seen = Observation(program="p", limits=LIMITS, sightings=(Sighting(fact=fact),), raised=error)
    assert len(list(dropped_gradients(seen))) == told


def test_what_each_epoch_leaves_over_is_told_before_what_the_last_one_does() -> None:
    ends = (GradientsDropped(calls=5, of=12, at_end=False), GradientsDropped(calls=5, of=7, at_end=True))
    told = tuple(Sighting(fact=one, count=4 + k) for k, one in enumerate(ends))
    (one,) = dropped_gradients(Observation(program="p", limits=LIMITS, sightings=told))
    assert one.message == "5 of the 12 gradient calls before an update were not in it, at 4 sampled steps or more"


@pytest.mark.parametrize(("count", "at_end", "dropped"), [(8, False, 0.75), (1, False, 0.0), (8, True, 0.0)])
def test_a_share_is_dropped_where_it_is_at_several_steps(count: int, at_end: bool, dropped: float) -> None:
    told = Sighting(fact=GradientsDropped(calls=3, of=4, at_end=at_end), count=count)
    (one,) = dropped_gradients(Observation(program="p", limits=LIMITS, sightings=(told,)))
    assert one.evidence.get("dropped", 0.0) == dropped


@pytest.mark.parametrize(("decay", "told"), [(100.0, ["each update takes 30% of every weight away"]), (0.1, [])])
def test_decay_is_told_by_what_it_takes_at_each_update(decay: float, told: list[str]) -> None:
    one = Optimizer(name="AdamW", rates=((1, 3e-3), (50, 3e-3)), weight_decay=decay)
    seen = Observation(program="p", limits=LIMITS, sheet=Sheet(optimizers=(one,)))
    assert [one.message.partition(":")[0] for one in shrinking_weights(seen)] == told


def test_a_pass_is_counted_in_batches_whether_losses_or_outputs_wait() -> None:
    fact = UnevaluatedPass(losses=50, before_bytes=2_000_000, peak_bytes=90_000_000, small=False)
    told = Sighting(fact=fact, file="train.py", line=9)
    (one,) = unevaluated_pass(Observation(program="p", limits=LIMITS, sightings=(told,)))
    assert one.message.startswith("a pass of 50 batches is one graph")
    assert one.evidence == {"batches": 50, "peak_bytes": 90_000_000}
