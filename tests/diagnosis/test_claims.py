"""Each sentence of a finding is true of the program that it is said of: reasons, counts and places."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from watching import GUARD_S

from mlxprobe.diagnosis import diagnose
from mlxprobe.diagnosis.evaluation import deferred_stall
from mlxprobe.protocol.facts.work import DetectorFailed, LongEvaluation
from mlxprobe.schema.enums import Severity
from mlxprobe.schema.observation import Limits, Observation, Program, Sighting
from mlxprobe.schema.record import Finding
from mlxprobe.supervisor.watch import observe

FAULTY = Path(__file__).parents[1] / "programs" / "faulty"
LIMITS = Limits(stall_s=GUARD_S, startup_s=GUARD_S, timeout_s=GUARD_S, memory_bytes=4_000_000_000)

pytestmark = pytest.mark.slow


def watched(file: Path) -> tuple[Observation, list[Finding]]:
    program = Program(name=file.stem, argv=("script", str(file)), python=sys.executable)
    seen = observe(program, LIMITS, jit_key="tests")
    assert [fact for fact, _ in seen.every(DetectorFailed)] == []
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


READ_IN_BETWEEN = """
import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim

model, optimizer, count = nn.Linear(4, 2), optim.SGD(learning_rate=0.1), mx.array(3.0)
gradient = nn.value_and_grad(model, lambda x: nn.losses.mse_loss(model(x), x[:, :2]))
mx.eval(count)
for step in range(20):
    loss, grads = gradient(mx.random.normal((8, 4)))
    optimizer.update(model, grads)
    if step == 12:
        count.item()
mx.eval(model.parameters(), optimizer.state, loss)
"""


def test_what_has_its_value_is_read_and_runs_no_steps(tmp_path: Path) -> None:
    file = tmp_path / "program.py"
    file.write_text(READ_IN_BETWEEN)
    seen, findings = watched(file)
    ((fact, at),) = seen.every(LongEvaluation)
    assert (at.line, fact.lazy_steps) == (14, 20)
    assert "20 steps at once" in of("MP101", findings).message


@pytest.mark.parametrize(
    ("seconds", "run_s", "stalls"),
    [(5.5e-6, 1e-4, False), (0.005, 0.02, False), (0.05, 0.4, True), (0.05, 60.0, False), (0.2, 3600.0, True)],
)
def test_a_stall_is_felt_or_takes_a_part_of_a_short_run(seconds: float, run_s: float, stalls: bool) -> None:
    late, quick = (
        Sighting(fact=LongEvaluation(seconds=took_s, lazy_steps=40, whole=False), file="a.py", line=3, count=count)
        for count, took_s in enumerate((seconds, 1e-6), 1)
    )
    seen = Observation(program="p", limits=LIMITS, sightings=(late, quick), finished_s=run_s, wall_s=run_s)
    assert bool(list(deferred_stall(seen))) is stalls


@pytest.mark.parametrize(
    ("name", "line"),
    [("mp504_untaken_branch", "return mx.softmax(score / self.tau"), ("mp504_ramp", "if self.done >= self.over")],
)
def test_a_number_that_is_baked_in_is_told_once_at_a_line_that_ran(name: str, line: str) -> None:
    assert code_at(of("MP504", watched(FAULTY / f"{name}.py")[1])).startswith(line)
