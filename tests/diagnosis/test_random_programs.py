"""Random small programs are healthy when built right, and get a fault's code at its place when one is put in."""

import tempfile
from pathlib import Path

import pytest
from faulty_programs import FAULTS, source
from hypothesis import HealthCheck, Phase, given, settings
from random_runs import Answer, watched

from mlxprobe.fuzz.training_programs.plan import Plan, plans

pytestmark = pytest.mark.slow


def few(examples: int) -> settings:
    """Draw the same few examples in every run; no smaller ones are looked for, for each takes most of a second."""
    return settings(
        max_examples=examples,
        derandomize=True,
        database=None,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )


def answer(plan: Plan, fault: str = "") -> Answer:
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "program.py"
        file.write_text(source(plan, fault))
        return watched(file)


@pytest.mark.parametrize("style", ["plain", "function", "class"])
def test_a_program_built_right_gets_no_warning(style: str) -> None:
    @few(4)
    @given(plans(style=(style,)))
    def holds(plan: Plan) -> None:
        seen = answer(plan)
        assert not seen.failed
        assert not seen.beside, source(plan)

    holds()


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_gets_its_code_in_its_function_and_no_other_warning(fault: str) -> None:
    @few(2)
    @given(plans(**FAULTS[fault].needs))
    def holds(plan: Plan) -> None:
        seen = answer(plan, fault)
        assert not seen.failed
        assert seen.answer == "found", (seen.findings, source(plan, fault))
        assert not seen.beside, source(plan, fault)

    holds()
