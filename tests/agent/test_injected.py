"""What fails in the agent is not raised into the program: each of its functions is broken in turn."""

import sys
from pathlib import Path

import pytest
from watching import GUARD_S

from mlxprobe.schema.observation import Limits, Program
from mlxprobe.supervisor.watch import observe

BREAKS = Path(__file__).parents[1] / "programs" / "breaks_the_agent.py"
LIMITS = Limits(stall_s=120.0, startup_s=GUARD_S, timeout_s=GUARD_S, memory_bytes=4_000_000_000)


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["functions", "methods"])
def test_nothing_of_ours_is_raised_into_the_program(kind: str) -> None:
    seen = observe(Program(name="breaks", command=(sys.executable, str(BREAKS), kind)), LIMITS)
    lines = seen.output_tail.splitlines()
    assert lines[-1].startswith("done "), seen.output_tail
    assert int(lines[-1].split()[1]) > 300
    assert [line for line in lines if line.startswith("RAISED ")] == []
