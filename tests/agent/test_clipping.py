"""The sheet tells of clipping by norm, however it is written."""

import sys
from pathlib import Path

import pytest
from watching import GUARD_S

from mlxprobe.schema.observation import Limits, Program
from mlxprobe.supervisor.watch import observe

HEALTHY = Path(__file__).parents[1] / "programs" / "healthy"
LIMITS = Limits(stall_s=20.0, startup_s=GUARD_S, timeout_s=GUARD_S, memory_bytes=4_000_000_000)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "limit"), [("clip_by_norm", 0.5), ("clipped_by_norm_by_hand", 2.0), ("loss_read_by_item", 0.0)]
)
def test_the_sheet_tells_of_the_limit(name: str, limit: float) -> None:
    program = Program(name=name, argv=("script", str(HEALTHY / f"{name}.py")), python=sys.executable)
    sheet = observe(program, LIMITS, jit_key="tests").sheet
    assert sheet.clip_norm == pytest.approx(limit, rel=0.01)
