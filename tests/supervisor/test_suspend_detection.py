"""What a step took, where the whole machine stood meanwhile."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from mlxprobe.schema.observation import Step
from mlxprobe.supervisor import watch
from mlxprobe.supervisor.watch import LEAST_S, SuspendDetector

STARTED_S = 1000.0


def looked(monkeypatch: pytest.MonkeyPatch, *looks: tuple[float, float]) -> SuspendDetector:
    """Return the pauses of who looked at these moments, having used so much of a processor."""
    now = [(STARTED_S, 0.0), *((STARTED_S + at_s, used_s) for at_s, used_s in looks)]
    clocks = SimpleNamespace(monotonic=lambda: now[0][0], process_time=lambda: now[0][1])
    monkeypatch.setattr(watch, "time", clocks)
    found = SuspendDetector(STARTED_S)
    for _ in looks:
        del now[0]
        found.passed_s()
    return found


TOOK = [
    ("it lay in the step", [(10.0, 9.0), (3610.0, 9.0)], (3612.0, 3603.0), 3.0),
    ("it began before the step did", [(1.0, 0.0), (30.0, 0.0)], (31.0, 11.0), 1.0),
    ("it was another step's", [(10.0, 9.0), (30.0, 9.0)], (10.0, 8.0), 8.0),
    ("two in one step", [(0.1, 0.0), (10.1, 0.0), (10.2, 0.0), (20.2, 0.0)], (21.0, 21.0), 1.0),
    ("a machine that is only busy", [(LEAST_S - 0.1, 0.0)], (6.0, 6.0), 6.0),
    ("we were busy ourselves", [(10.0, 8.0)], (10.0, 9.0), 9.0),
]


@pytest.mark.parametrize(("looks", "step", "took_s"), [row[1:] for row in TOOK], ids=[row[0] for row in TOOK])
def test_what_a_step_took(
    looks: list[tuple[float, float]], step: tuple[float, float], took_s: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    t_s, step_s = step
    assert looked(monkeypatch, *looks).took_s(Step(n=9, t_s=t_s, step_s=step_s)) == pytest.approx(took_s)
