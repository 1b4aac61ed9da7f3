"""MP207 names what made a value that is not finite, the step at which it arose, and what serves instead."""

import math
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest
from watching import GUARD_S

from mlxprobe.diagnosis import diagnose
from mlxprobe.diagnosis.nan_origin import KINDS
from mlxprobe.protocol.fact import Fact
from mlxprobe.protocol.facts.gradients import GradientNotFinite, GradientsRecovered
from mlxprobe.protocol.facts.losses import NotFiniteOrigin
from mlxprobe.schema.enums import Severity
from mlxprobe.schema.losses import first_bad, first_lasting
from mlxprobe.schema.observation import Limits, Observation, Program, Reading, Sighting
from mlxprobe.schema.record import Finding
from mlxprobe.supervisor.watch import observe

LIMITS = Limits(stall_s=3.0, startup_s=GUARD_S, timeout_s=GUARD_S, memory_bytes=4_000_000_000)
FAULTY = Path(__file__).parents[1] / "programs" / "faulty"
CAUSES = [  # what each program's finding says of its cause, and of what serves instead
    (
        "mp207_trainer",
        "it arose in step 21: in the gradient, 0/0: 1 of 16 sums of a mask are 0; the loss leaves",
    ),
    ("mp207_trainer", "replace the operand before the operation"),
    ("mp207_other", "a division by 0 in 1 of 12 elements"),
    ("mp207_compiled", "a division by 0 in 1 of 16 elements"),
    ("mp207_root", "it arose in step 1: the gradient of a root at 0 is infinite, in 1 of 64 elements"),
    ("mp207_padding_rows", "the loss of step 14 is nan: a softmax over a row of nothing but -inf"),
    ("mp207_half_adapter", "overflows float16: "),
    ("mp207_data", "features already holds it"),
    ("mp207_vanishing_eps", "it arose in step 1: Adam's eps of 1e-08 is 0 in float16"),
    ("mp207_deviation", "it arose in step 14: a standard deviation has no gradient at equal values"),
    ("mp207_normalised_gradient", "its loss and gradients are finite"),
]


def seen(*losses: float, facts: Sequence[Fact] = ()) -> Observation:
    readings = tuple(Reading(step=k, value=value) for k, value in enumerate(losses, 1))
    sightings = tuple(Sighting(fact=fact, file="a.py", line=7) for fact in facts)
    return Observation(program="p", limits=LIMITS, losses=readings, sightings=sightings)


def told(observation: Observation) -> list[Finding]:
    return [one for one in diagnose(observation) if one.code == "MP207"]


@pytest.mark.slow
@pytest.mark.parametrize(("program", "words"), CAUSES, ids=[f"{name}: {words[:30]}" for name, words in CAUSES])
def test_a_program_is_told_what_made_it_so(program: str, words: str) -> None:
    file = str(FAULTY / f"{program}.py")
    observation = observe(Program(name=program, argv=("script", file), python=sys.executable), LIMITS, jit_key="tests")
    (found,) = told(observation)
    assert words in f"{found.message} {found.instead}" and found.severity is Severity.ERROR


@pytest.mark.parametrize(
    ("losses", "lasting"),
    [
        pytest.param([1.0, math.nan, math.nan], 2, id="nothing finite comes after it"),
        pytest.param([1.0, 1.0, math.inf], 3, id="the run ends with the first"),
        pytest.param([math.inf, math.inf, 1.0, 1.0], None, id="a loss scale that is found"),
        pytest.param([math.inf, 1.0, 1.0, math.inf], None, id="the run ends while it is looked for again"),
        pytest.param([math.inf, 1.0, *[math.nan] * 6], 3, id="more of them than were ever got over"),
        pytest.param([1.0, 0.5], None, id="all are finite"),
    ],
)
def test_a_loss_that_training_got_over_does_not_last(losses: list[float], lasting: int | None) -> None:
    found = first_lasting(seen(*losses))
    assert (found and found.step) == lasting


def test_each_model_has_losses_of_its_own() -> None:
    one = (Reading(step=1, value=math.nan), Reading(step=2, value=math.nan))
    both = (*one, Reading(step=3, value=1.0, stream=1))
    found = first_lasting(Observation(program="p", limits=LIMITS, losses=both))
    assert found == one[0] == first_bad(Observation(program="p", limits=LIMITS, losses=both))


def test_what_training_got_over_is_a_note() -> None:
    (found,) = told(seen(1.0, math.inf, 1.0, 0.9))
    assert found.severity is Severity.NOTE and "training got over it" in found.message


@pytest.mark.parametrize(
    ("bad", "over", "grave", "call"),
    [
        pytest.param([1], [], Severity.ERROR, 1, id="nothing tells that it did not reach its parameters"),
        pytest.param([1, 2], [3], Severity.NOTE, 1, id="its parameters and later gradients are finite"),
        pytest.param([1, 9], [3], Severity.ERROR, 9, id="a later one does"),
    ],
)
def test_a_gradient_that_no_update_got_is_a_note(bad: list[int], over: list[int], grave: Severity, call: int) -> None:
    broken = [GradientNotFinite(paths=("w",), count=1, call=one) for one in bad]
    (found,) = told(seen(facts=[*broken, *(GradientsRecovered(call=one) for one in over)]))
    assert found.severity is grave and f"a gradient of step {call} is not finite w" in found.message


@pytest.mark.parametrize("kind", [*KINDS, "something new"])
def test_every_kind_has_words_and_something_instead(kind: str) -> None:
    fact = NotFiniteOrigin(
        kind=kind, call=2, op="rmul", phase="forward", largest=3.0, lowest=-1.0, eps=1e-8, elements=1, of=4,
        dtype="float16", value=math.inf, optimizer="Adam",
    )  # fmt: skip
    (found,) = told(seen(1.0, math.nan, facts=[fact]))
    assert (found.file, found.line) == ("a.py", 7) and "nan:" in found.message and found.instead
    assert "{" not in found.message + found.instead


def test_without_an_origin_the_loss_alone_is_told() -> None:
    (found,) = told(seen(1.0, math.nan, facts=[NotFiniteOrigin(kind="before", call=2)]))
    assert found.message == "the loss of step 2 is nan"


def test_why_a_step_was_not_taken_again_is_told() -> None:
    fact = NotFiniteOrigin(kind="not taken again", why="it prints", call=2)
    (found,) = told(seen(1.0, math.nan, facts=[fact]))
    assert found.message.endswith("the step could not be taken again: it prints")
