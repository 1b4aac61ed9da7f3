"""Time goes to steps, to other evaluations, to saving, or to what lies between them; all of it, once."""

from __future__ import annotations

import os
import time

from mlxprobe.agent.recording.phase_timer import Phases
from mlxprobe.agent.recording.recorder import Recorder
from mlxprobe.agent.wire.channel import Channel


def seconds(phases: Phases) -> dict[str, float]:
    return {name: total for name, (total, _, _) in phases.totals.items() if total}


def test_all_time_from_the_first_gradient_to_the_last_evaluation_is_given_away_once() -> None:
    phases = Phases()
    phases.begins(1.0)
    phases.took("tracing", 1.5, 2.0)
    phases.open = True
    phases.evaluated(2.5, 3.0)
    phases.begins(4.0)
    phases.evaluated(4.5, 5.0)  # the gradients alone
    phases.open = True
    phases.evaluated(5.5, 6.0)
    phases.evaluated(7.0, 7.5)  # a validation batch
    phases.evaluated(7.5, 7.5001)  # only reads a value
    phases.took("saving", 8.0, 9.0)
    assert seconds(phases) == {
        "steps": 0.5 + 1.0 + 1.0 + 1.0,
        "tracing": 0.5,
        "between steps": 1.0 + 0.5,
        "other evaluations": 1.5,
        "saving": 1.0,
    }
    assert sum(seconds(phases).values()) == 9.0 - 1.0


def test_a_compiled_function_without_gradients_is_no_step() -> None:
    phases = Phases()
    phases.begins(1.0)
    phases.evaluated(1.5, 2.0)
    phases.begins(3.0)
    phases.goes_on()
    phases.evaluated(3.5, 4.0)
    assert seconds(phases) == {"steps": 1.0, "between steps": 1.0, "other evaluations": 1.0}


def test_the_peak_is_told_with_the_phase_that_reached_it() -> None:
    phases = Phases()
    peaks = iter([10, 30, 20])
    phases.peak = lambda: next(peaks)
    phases.begins(1.0)
    phases.evaluated(1.5, 2.0)
    phases.evaluated(3.5, 4.0)
    assert (phases.peak_bytes, phases.peak_in) == (30, "steps")


def test_a_long_run_gathers_no_more_than_between_two_counts_of_memory() -> None:
    recorder = Recorder(Channel(os.open(os.devnull, os.O_WRONLY)))
    held = []
    for _ in range(20_000):
        recorder.gradient_begins()
        recorder.gradient_ends(None)
        recorder.evaluated(time.monotonic())
        held.append(len(recorder.phases._steps))
    assert recorder.phases.totals["steps"][1] == 20_000
    assert max(held) < 20_000 and min(held[1000:]) < max(held)


def test_the_agents_own_time_is_a_phase_of_its_own() -> None:
    phases = Phases()
    phases.paid(0.5)  # before the first gradient call: no part of the run's time
    phases.begins(1.0)
    phases.open = True
    phases.paid(0.75)
    phases.evaluated(1.5, 2.0)
    phases.paid(0.125)
    phases.begins(2.5)
    assert seconds(phases) == {"steps": 0.25, "mlxprobe": 0.875, "between steps": 0.375}
