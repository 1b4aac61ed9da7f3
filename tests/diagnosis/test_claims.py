"""Each sentence of a finding is true of the program that it is said of: reasons, counts and places."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from watching import GUARD_S

from mlxprobe.diagnosis import diagnose
from mlxprobe.supervisor.watch import observe
from mlxprobe.values.observation import Limits, Observation, Program
from mlxprobe.values.record import Finding
from mlxprobe.values.vocabulary import Severity

FAULTY = Path(__file__).parents[1] / "programs" / "faulty"
LIMITS = Limits(stall_s=GUARD_S, startup_s=GUARD_S, timeout_s=GUARD_S, memory_bytes=4_000_000_000)

pytestmark = pytest.mark.slow


def watched(file: Path) -> tuple[Observation, list[Finding]]:
    program = Program(name=file.stem, argv=("script", str(file)), python=sys.executable)
    seen = observe(program, LIMITS, jit_key="tests")
    assert [fact.detail for fact in seen.facts if fact.name == "inspector failed"] == []
    return seen, [one for one in diagnose(seen) if one.line or one.message]


def of(code: str, findings: list[Finding]) -> Finding:
    (found,) = [one for one in findings if one.code == code]
    return found


def code_at(one: Finding) -> str:
    """Return the line that is blamed."""
    return Path(one.file).read_text().splitlines()[one.line - 1].strip()


def test_another_model_is_a_reason_only_where_the_loss_calls_it() -> None:
    found = of("MP201", watched(FAULTY / "mp201_unused_beside_another.py")[1])
    assert "another" not in found.message
    assert code_at(found).startswith("loss, grads =")  # nothing of the model's own has run in the loss
    assert "another Net" in of("MP201", watched(FAULTY / "mp201_model_of_before.py")[1]).message


def test_a_loss_that_calls_both_models_has_not_taken_one_for_the_other() -> None:
    found = of("MP201", watched(FAULTY / "mp201_student_cut_off.py")[1])
    assert "another" not in found.message
    assert "stop_gradient" in found.message


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("mp204_each_epoch", "20 of 180 gradient calls are in no update: each takes the last 4 before it"),
        ("mp204_last_alone", "125 of 150 gradient calls are in no update: each takes the last 1 before it"),
        ("mp204_other", "3 gradient calls were never applied when the run ends, of 48"),
    ],
)
def test_gradient_calls_that_are_dropped_are_counted_over_the_whole_run(name: str, words: str) -> None:
    found = of("MP204", watched(FAULTY / f"{name}.py")[1])
    assert found.message == words
    assert (found.severity is Severity.NOTE) == ("ends" in words)  # less than one update


def test_statistics_that_get_no_gradient_are_no_frozen_parameters_that_are_updated() -> None:
    for name in ("batchnorm_all_parameters_updated", "batchnorm_all_parameters_compiled"):
        _, findings = watched(FAULTY.parent / "healthy" / f"{name}.py")
        assert {"MP201", "MP202"}.isdisjoint({one.code for one in findings})
    assert "running_var" in of("MP202", watched(FAULTY / "mp202_statistics_in_evaluation.py")[1]).message
