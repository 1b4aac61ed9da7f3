"""A window of ours is unseen by the program, and the program's resets are unseen by the window."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from mlxprobe.agent.intercept.intercepts import Intercepts
from mlxprobe.agent.recording.call_context import Peaks


class Core:
    def __init__(self) -> None:
        self.active = self.peak = 0

    def uses(self, count: int) -> None:
        self.peak = max(self.peak, self.active + count)

    def get_peak_memory(self) -> int:
        return self.peak

    def reset_peak_memory(self) -> None:
        self.peak = self.active


@pytest.fixture
def core() -> Core:
    return Core()


@pytest.fixture
def peaks(core: Core) -> Peaks:
    found = Peaks()
    where = SimpleNamespace(due=False, tracing=False, inside=False, state=lambda: 0)
    intercepts = Intercepts(where, lambda *_: True)
    found.observe(intercepts)
    intercepts.imported("mlx.core", core)
    return found


def test_a_window_holds_its_own_peak_and_the_program_reads_all_of_them(core: Core, peaks: Peaks) -> None:
    core.uses(70)
    assert peaks.restart() == 70
    core.uses(30)
    assert peaks.restart() == 30
    assert core.get_peak_memory() == 70


def test_what_the_program_resets_stays_in_the_window(core: Core, peaks: Peaks) -> None:
    core.uses(70)
    core.reset_peak_memory()
    core.uses(10)
    assert core.get_peak_memory() == 10
    assert peaks.restart() == 70


def test_what_is_hidden_is_in_no_window(core: Core, peaks: Peaks) -> None:
    core.uses(20)
    with peaks.hidden():
        core.uses(500)
        assert core.get_peak_memory() == 20
    core.uses(40)
    assert core.get_peak_memory() == 40
    assert peaks.restart() == 40
