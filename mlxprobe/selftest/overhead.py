"""Measure the overhead of watching: loops that print their step time run in turn plain and watched."""

from __future__ import annotations

import contextlib
import os
import re
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path

from mlxprobe.runner.runner import Runner
from mlxprobe.runner.schedule import Task
from mlxprobe.schema.enums import Outcome, Role
from mlxprobe.schema.record import ProgramRecord
from mlxprobe.schema.versions import OVERHEAD

TITLE = "What watching costs a step"
SHORT_STEPS = str(Path(__file__).parent / "programs" / "short_steps.py")
LOOPS = {  # steps, layers, width
    "steps-of-a-small-model": ("2000", "3", "8"),
    "steps-of-a-wide-model": ("200", "6", "192"),
}
ROUNDS = 5
TWICE = 2.0  # in every round: such a loop is slow, however busy the machine is
FIGURES = re.compile(r"cpu_ms ([\d.]+)\s+mean_ms ([\d.]+)\s+median_ms ([\d.]+)")
POLL_S, END_WITHIN_S = 0.1, 10.0

Figures = tuple[float, ...]  # a step's CPU time, its mean and its median, in ms
Words = Callable[[], list[str]]


def tasks() -> list[Task]:
    """Make a task of each loop."""
    return [Task(name=f"{OVERHEAD}/{name}", run=(run := partial(_row, name=name)), again=run) for name in LOOPS]


def interleaved(words: Mapping[str, Words], rounds: int, stop: threading.Event) -> Iterator[dict[str, Figures]]:
    """Yield for each round the figures of each way to run a loop; the order changes from round to round.

    A run that prints no figures is left out of a round.
    """
    for number in range(rounds):
        order = [*words.items()]
        order = order[number % len(order) :] + order[: number % len(order)]
        found = {name: FIGURES.search(output_of(told(), stop)) for name, told in order}
        yield {name: tuple(map(float, one.groups())) for name, one in found.items() if one}


def output_of(words: list[str], stop: threading.Event) -> str:
    """Run a program and return what it prints; it is ended where `stop` is set."""
    if not words or stop.is_set():
        return ""
    with tempfile.TemporaryFile() as output:
        running = subprocess.Popen(
            words, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.DEVNULL, env=installed()
        )
        try:
            while running.poll() is None and not stop.is_set():
                with contextlib.suppress(subprocess.TimeoutExpired):
                    running.wait(POLL_S)
        finally:
            _end(running)
        output.seek(0)
        return output.read().decode(errors="replace")


def _end(running: subprocess.Popen[bytes]) -> None:
    if running.poll() is None:
        running.terminate()
        deadline = time.monotonic() + END_WITHIN_S
        while running.poll() is None and time.monotonic() < deadline:
            time.sleep(POLL_S)
        running.kill()
        running.wait()


def installed() -> dict[str, str]:
    """Return an environment in which Python caches its bytecode, as in a user's installation."""
    return {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}


def _row(runner: Runner, name: str) -> ProgramRecord:
    label = f"{OVERHEAD}/{name}"
    if runner.listener is not None:
        runner.listener.started(label)
    loop, device = [SHORT_STEPS, *LOOPS[name]], runner.settings.device
    watch = [sys.executable, "-m", "mlxprobe", "watch", "--no-live", *(["--device", device] if device else [])]
    words: dict[str, Words] = {"plain": lambda: [sys.executable, *loop], "watched": lambda: [*watch, *loop]}
    began_s = time.monotonic()
    rounds = list(interleaved(words, ROUNDS, runner.stop))
    return runner.told(judged(name, rounds, time.monotonic() - began_s))


def judged(name: str, rounds: list[dict[str, Figures]], wall_s: float = 0.0) -> ProgramRecord:
    """Return the row of a loop; it is slow only where watching doubles its steps in every round."""
    whole = [one for one in rounds if one.keys() >= {"plain", "watched"}]
    plain, watched = ([one[way][2] for one in whole] for way in ("plain", "watched"))
    ratios = [one / other for one, other in zip(watched, plain, strict=True)]
    outcome, reason = Outcome.UNJUDGED, f"{len(whole)} of {len(rounds)} rounds gave figures"
    if whole and len(whole) == len(rounds):
        outcome = Outcome.SLOW if min(ratios) > TWICE else Outcome.PASS
        reason = (
            f"a step takes {statistics.median(watched):.3g} ms watched, {statistics.median(plain):.3g} ms as it is: "
            f"× {statistics.median(ratios):.3f} ({min(ratios):.3f} – {max(ratios):.3f} in {len(rounds)} rounds)"
        )
    return ProgramRecord(
        outcome=outcome,
        reason=reason,
        as_expected=outcome is Outcome.PASS,
        findings=(),
        scenario=OVERHEAD,
        variant=name,
        title=TITLE,
        role=Role.CORRECT,
        expects=Outcome.PASS,
        result={"plain_step_ms": tuple(plain), "watched_step_ms": tuple(watched)},
        wall_s=wall_s,
    )
