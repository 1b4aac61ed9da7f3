"""The verdict: each row one observation and the outcome that it must give."""

import math

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from making import STACK, raised, seen, stalled

from mlxprobe.protocol.facts.processes import PoolWorker
from mlxprobe.schema.enums import HangKind, Outcome, Role, Severity
from mlxprobe.schema.losses import loss_deviation
from mlxprobe.schema.metrics import pending_slope, result_distance
from mlxprobe.schema.observation import Observation, Reading, Sighting, Silence, Step
from mlxprobe.schema.record import Expectation, Finding
from mlxprobe.verdict.judge import judge

ANY = Expectation()
POOLED = (Sighting(fact=PoolWorker()),)
NAN = (Reading(step=1, value=4.0), Reading(step=2, value=math.nan))
FLAT = seen(score=3.99, losses=(Reading(step=1, value=4.0), Reading(step=2, value=4.0)))
SLOW_STEPS = tuple(Step(n=n, t_s=n, step_s=0.05) for n in range(1, 21))

CASES = [
    ("a healthy run passes", seen(), None, Outcome.PASS),
    ("an interrupted run is not judged", seen(ended="interrupted"), None, Outcome.UNJUDGED),
    ("a process that cannot be ended is not judged", seen(left_behind=(9,)), None, Outcome.UNJUDGED),
    ("an agent that never spoke is not judged", seen(begun=False, ended="not-started"), None, Outcome.UNJUDGED),
    ("garbage among the events is not judged", seen(garbled=1), None, Outcome.UNJUDGED),
    ("even a hang is not judged when events are garbled", stalled(HangKind.STALL, garbled=2), None, Outcome.UNJUDGED),
    ("over the memory limit", seen(ended="memory", exit_code=-9), None, Outcome.MEMORY),
    ("silent and idle is a deadlock", stalled(HangKind.DEADLOCK), None, Outcome.HANG),
    ("silent and busy is a stall", stalled(HangKind.STALL), None, Outcome.HANG),
    ("silent at exit hangs although the body finished", stalled(HangKind.UNKNOWN, finished=True), None, Outcome.HANG),
    ("moving when the time is up is slow", seen(ended="timeout", exit_code=-15), None, Outcome.SLOW),
    ("Ctrl-C is no crash", seen(exit_code=-2, finished=False), None, Outcome.UNJUDGED),
    ("what still runs is not judged", seen(ended="running", finished=False, exit_code=None), None, Outcome.UNJUDGED),
    ("a signal is a crash", seen(exit_code=-11, finished=False), None, Outcome.CRASH),
    ("a signal after the end is a crash too", seen(exit_code=-6), None, Outcome.CRASH),
    ("leaving in the middle with exit code 0 is a crash", seen(finished=False), None, Outcome.CRASH),
    ("a pool ends its workers", seen(exit_code=-15, finished=False, sightings=POOLED), None, Outcome.PASS),
    (
        "also where its parent is not watched",
        seen(exit_code=None, finished=False, sightings=POOLED),
        None,
        Outcome.PASS,
    ),
    ("a worker out of memory", seen(exit_code=-9, finished=False, sightings=POOLED), None, Outcome.CRASH),
    ("an exception is an error", raised(), None, Outcome.ERROR),
    ("a bad exit code without an exception is an error", seen(exit_code=3), None, Outcome.ERROR),
    ("a NaN loss", seen(losses=NAN), None, Outcome.NAN),
    ("an infinite true loss", seen(score=math.inf), None, Outcome.NAN),
    ("a result that is not finite", seen(result={"w": (math.nan, 0.0)}), None, Outcome.NAN),
    ("a NaN loss comes before learning nothing", msgspec.structs.replace(FLAT, losses=NAN), seen(), Outcome.NAN),
    ("a flat true loss beside a baseline that learns", FLAT, seen(), Outcome.NO_LEARNING),
    ("another result than the baseline's", seen(result={"weight": (2.0, 1.5, -1.0)}), seen(), Outcome.WRONG),
    ("a result with other names", seen(result={"bias": (2.0, 1.0, -1.0)}), seen(), Outcome.WRONG),
    ("no result where the baseline has one", seen(result={}), seen(), Outcome.WRONG),
    ("another loss path", seen(losses=(Reading(step=1, value=4.1),)), seen(), Outcome.WRONG),
    ("a difference below the tolerance passes", seen(result={"weight": (2.0, 1.00001, -1.0)}), seen(), Outcome.PASS),
]


@pytest.mark.parametrize(
    ("observation", "baseline", "outcome"), [case[1:] for case in CASES], ids=[c[0] for c in CASES]
)
def test_outcome(observation: Observation, baseline: Observation | None, outcome: Outcome) -> None:
    verdict = judge(observation, (), ANY, baseline)
    assert verdict.outcome is outcome
    assert verdict.reason
    assert verdict.as_expected == (outcome is Outcome.PASS)


def test_a_correct_loop_that_does_not_learn_is_told() -> None:
    assert judge(FLAT, (), Expectation(role=Role.CORRECT)).outcome is Outcome.NO_LEARNING


def test_a_reference_that_fails_leaves_the_correct_loop_unjudged() -> None:
    verdict = judge(seen(), (), Expectation(role=Role.CORRECT), raised("no NumPy"))
    assert verdict.outcome is Outcome.UNJUDGED
    assert "the NumPy reference failed: ValueError: no NumPy" in verdict.reason


def test_an_expected_error_must_be_the_expected_one() -> None:
    expectation = Expectation(expects=Outcome.ERROR, raises="bad shape")
    assert judge(raised("a bad shape"), (), expectation).as_expected
    verdict = judge(raised("something else"), (), expectation)
    assert not verdict.as_expected
    assert "expected 'bad shape', which was not found" in verdict.reason


def test_without_a_true_loss_the_losses_that_were_read_decide() -> None:
    flat = tuple(Reading(step=n, value=4.0) for n in range(1, 21))
    verdict = judge(seen(score=None, losses=flat), (), ANY, seen(score=None))
    assert verdict.outcome is Outcome.NO_LEARNING
    assert "its loss is 4.000 at the end, after 4.000 at the start" in verdict.reason
    assert judge(seen(score=None), (), ANY, seen(score=None)).outcome is Outcome.PASS
    short = judge(seen(score=None, losses=flat[:5]), (), ANY, seen(score=None))
    assert short.outcome is Outcome.WRONG


def test_losses_that_were_only_taken_in_late_are_held_against_where_the_correct_loop_starts() -> None:
    falling = tuple(Reading(step=n, value=max(0.1, 14.0 - n)) for n in range(1, 51))
    late = judge(seen(score=None, losses=falling[20:]), (), ANY, seen(score=None, losses=falling))
    assert late.outcome is Outcome.PASS
    high = tuple(Reading(step=n, value=14.0) for n in range(21, 51))
    assert judge(seen(score=None, losses=high), (), ANY, seen(score=None, losses=falling)).outcome is not Outcome.PASS


def test_a_true_loss_without_any_loss_read_is_judged_too() -> None:
    assert judge(seen(losses=()), (), ANY, None).outcome is Outcome.PASS


def test_slow_needs_a_factor() -> None:
    slower = seen(steps=SLOW_STEPS)
    assert judge(slower, (), ANY, seen()).outcome is Outcome.PASS
    verdict = judge(slower, (), Expectation(slow_factor=3.0), seen())
    assert verdict.outcome is Outcome.SLOW
    assert "5.0 ×" in verdict.reason


def test_a_missing_finding_makes_an_expected_outcome_unexpected() -> None:
    expectation = Expectation(expects=Outcome.HANG, finds=("MP101",))
    verdict = judge(stalled(HangKind.STALL), (), expectation)
    assert not verdict.as_expected
    assert "MP101" in verdict.reason
    found = Finding(code="MP101", name="unevaluated-update", severity=Severity.ERROR, message="…")
    assert judge(stalled(HangKind.STALL), (found,), expectation).as_expected


def test_a_hang_tells_where_how_busy_and_how_much_waits() -> None:
    growing = tuple(Step(n=n, t_s=n, step_s=0.01, pending=1000 * n) for n in range(1, 4))
    reason = judge(stalled(HangKind.STALL, steps=growing), (), ANY, seen()).reason
    assert "stall: silent for 1.1 s at train.py:42 (mx.eval(loss))" in reason
    assert "about 3,000 operations pending, 3 steps' worth" in reason
    assert "the correct loop's slowest step took 0.010 s" in reason


def test_time_that_is_up_tells_an_idle_program_from_a_moving_one() -> None:
    def reason(silence: Silence | None) -> str:
        return judge(seen(ended="timeout", exit_code=-15, silence=silence), (), ANY).reason

    idle = Silence(silent_s=12.0, cpu_s=0.1, kind=HangKind.UNKNOWN, stacks=(STACK,))
    assert reason(None) == "still moving at step 20 when its 60 s were up"
    assert reason(idle).startswith(
        "no progress and no CPU for the last 12 s at train.py:42 (mx.eval(loss)), at step 20"
    )
    assert "but 12 s of CPU" in reason(msgspec.structs.replace(idle, cpu_s=12.0))


def test_result_distance_estimates_the_relative_euclidean_distance() -> None:
    near, far = seen(result={"w": (1.0, 1.0)}), seen(result={"w": (1.0, 1.5)})
    assert result_distance(near, near) == 0
    assert result_distance(far, near) == pytest.approx(0.5)


def test_loss_deviation_compares_common_steps_alone() -> None:
    ours = seen(losses=(Reading(step=2, value=2.2), Reading(step=99, value=7.0)))
    step, apart = loss_deviation(ours, seen()) or (0, 0.0)
    assert step == 2
    assert apart == pytest.approx(0.1)
    assert loss_deviation(seen(losses=()), seen()) is None


def test_pending_slope_needs_three_looks() -> None:
    steps = tuple(Step(n=n, t_s=n, step_s=0.01, pending=5 * n) for n in range(1, 4))
    assert pending_slope(seen(steps=steps)) == 5
    assert pending_slope(seen(steps=steps[:2])) == 0


def test_a_jump_is_no_growth() -> None:
    looks = zip((1, 2, 3, 6, 12), (3, 240, 241, 244, 250), strict=True)
    assert pending_slope(seen(steps=tuple(Step(n=n, t_s=n, step_s=0.01, pending=count) for n, count in looks))) == 1


floats = st.floats(allow_nan=True, allow_infinity=True, width=32)
observations = st.builds(
    seen,
    ended=st.sampled_from(["exited", "stalled", "timeout", "memory", "interrupted", "not-started", "unreaped"]),
    exit_code=st.one_of(st.none(), st.integers(-64, 255)),
    begun=st.booleans(),
    finished=st.booleans(),
    garbled=st.integers(0, 2),
    left_behind=st.sampled_from([(), (5,)]),
    raised=st.sampled_from([None, raised().raised]),
    silence=st.sampled_from([None, stalled(HangKind.STALL).silence, stalled(HangKind.UNKNOWN).silence]),
    losses=st.lists(st.builds(Reading, step=st.integers(0, 9), value=floats), max_size=4).map(tuple),
    steps=st.lists(st.builds(Step, n=st.integers(0, 9), t_s=floats, step_s=st.floats(0, 9)), max_size=4).map(tuple),
    samples=st.just(()),
    score=st.one_of(st.none(), floats),
    result=st.dictionaries(st.sampled_from(["a", "b"]), st.tuples(floats, floats), max_size=2),
)


@pytest.mark.parametrize(("ended", "limit"), [("timeout", "time limit of 60 s"), ("memory", "memory limit of 1000 MB")])
def test_a_limit_that_ended_a_program_before_it_imported_mlx_is_named(ended: str, limit: str) -> None:
    verdict = judge(seen(begun=False, ended=ended, exit_code=-9), (), ANY)
    assert verdict.outcome is Outcome.UNJUDGED
    assert verdict.reason == f"it reached its {limit} before it imported MLX"


@given(observations, st.one_of(st.none(), observations), st.sampled_from(list(Role)))
def test_every_observation_gives_exactly_one_outcome(
    observation: Observation, baseline: Observation | None, role: Role
) -> None:
    verdict = judge(observation, (), Expectation(role=role, slow_factor=2.0), baseline)
    assert isinstance(verdict.outcome, Outcome)
    if observation.ended != "exited" or not observation.begun or observation.left_behind:
        assert verdict.outcome is not Outcome.PASS
