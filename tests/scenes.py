"""What each command shows, from values that were made: `python tests/scenes.py` prints them all, one after another.

What a test compares must not change with MLX, the machine or a new scenario, so results are made here and leave
through the same doors as the commands'.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import click
import msgspec
from making import HERE, STACK, record, record_row

from mlxprobe.catalogue import discovery
from mlxprobe.cli import main
from mlxprobe.cli.display import Display, shown
from mlxprobe.reports import diagnosis, isolation, text
from mlxprobe.reports.gate import GATE_FORMATS, GateReport
from mlxprobe.reports.matrix import MATRIX_FORMATS
from mlxprobe.runner.isolation_result import Isolation, Trial
from mlxprobe.schema.enums import HangKind, Outcome, Role, Severity
from mlxprobe.schema.record import Finding, ProgramRecord, Record, Unchecked
from mlxprobe.upgrade.diff import Change, Comparison, Difference
from mlxprobe.upgrade.matrix import Matrix
from mlxprobe.verdict.rows import rated

SCENARIOS = Path(__file__).with_name("snapshots") / "scenarios"
MARK = "\f"  # between two scenes
FOUND = Finding(
    code="MP101", name="unevaluated-update", severity=Severity.ERROR, file="train.py", line=41,
    message="1,130 more operations are pending after every step: parameters or optimizer state are never evaluated",
    source="optimizer.update(model, grads)", evidence={"operations_per_step": 1130.0, "steps": 600.0},
)  # fmt: skip
NOTE = msgspec.structs.replace(FOUND, code="MP303", name="unshifted-labels", severity=Severity.NOTE, line=31)
BLIND = Unchecked(code="MP306", name="not-learning", why="the program read 0 losses")


def correct(**changes: Any) -> ProgramRecord:
    return record_row(
        Outcome.PASS, variant="parameters_and_state_evaluated", role=Role.CORRECT, scenario="step2-hang",
        title="Parameters and optimizer state are never evaluated", reason="60 steps, 11.0 ms a step", **changes,
    )  # fmt: skip


def hung(**changes: Any) -> ProgramRecord:
    given: dict[str, Any] = {
        "variant": "nothing_evaluated_until_the_loss_is_read_after_the_very_last_step", "scenario": "step2-hang",
        "kind": HangKind.STALL, "claims": Outcome.PASS, "findings": (FOUND, NOTE), "unchecked": (BLIND,),
        "stacks": (STACK,),
        "reason": "stall: silent for 1.0 s at train.py:42 (mx.eval(loss)); 676,900 operations pending",
    }  # fmt: skip
    return record_row(Outcome.HANG, **given | changes)


def failed() -> ProgramRecord:
    return record_row(
        Outcome.ERROR, scenario="prefetch-thread", variant="lazy_batches", as_expected=False, expects=Outcome.PASS,
        title="A loader thread queues batches", reason="RuntimeError: There is no Stream(cpu, 0) in current thread.",
    )  # fmt: skip


def made() -> Record:
    return record(correct(), hung(), failed(), problems=("mine.py:1: invalid syntax",))


def run() -> None:
    with Display(total=3) as display:
        for one in made().programs:
            display.started(one.name)
            display.ended(one.name, one)
    click.echo(shown(text.renderable(made())), nl=False)


def watched() -> None:
    click.echo(
        shown(diagnosis.renderable(record(rated(hung(program="train.py", expects=None, accepted=2)))), stderr=True),
        nl=False,
        err=True,
    )


def gated() -> None:
    worse = Difference(what="outcome", change=Change.REGRESSION, text="pass → error: RuntimeError: There is no Stream")
    slower = Difference(what="time", change=Change.REGRESSION, text="6.0 ms → 9.1 ms a step (1.5 ×)", advice=True)
    comparisons = (
        Comparison(program="prefetch-thread/lazy_batches", differences=(worse,)),
        Comparison(program="step2-hang/only_the_loss_evaluated", differences=(slower,)),
        Comparison(program="programs/smoke", differences=(worse,), allowed="known, reported upstream"),
    )
    report = GateReport(schema_version=1, baseline="mlx 0.31.2", candidate="mlx 0.32.4", comparisons=comparisons)
    click.echo(GATE_FORMATS["text"](report), nl=False)


def compared() -> None:
    passed = msgspec.structs.replace(failed(), outcome=Outcome.PASS, as_expected=True, reason="60 steps")
    older = msgspec.structs.replace(HERE, mlx="0.31.2")
    found = Matrix(
        schema_version=1,
        records=(record(correct(), hung(), passed, environment=older), made()),
        skipped={"0.27.0": "no wheel for this machine"},
    )
    click.echo(MATRIX_FORMATS["text"](found), nl=False)


def isolated() -> None:
    trials = (Trial(name="", seen=hung()), Trial(name="eval-update", seen=correct()), Trial(name="clip", seen=hung()))
    found = Isolation(
        schema_version=1, mlxprobe="0.1.0", time="", environment=HERE, program="train.py", trials=trials
    )  # fmt: skip
    click.echo(shown(isolation.renderable(found)), nl=False)


MADE: dict[str, Callable[[], None]] = {
    "run": run,
    "watch": watched,
    "gate": gated,
    "matrix": compared,
    "isolate": isolated,
}
SCENES = {"list": ["list"], "explain": ["explain", "MP101"]} | {name: [f"made-{name}"] for name in MADE}

if __name__ == "__main__":
    os.chdir(SCENARIOS)
    discovery.own_folder = lambda: SCENARIOS
    for name, show in MADE.items():
        main.add_command(click.Command(f"made-{name}", callback=show))
    for words in SCENES.values():
        with suppress(SystemExit):
            main(words, prog_name="mlxprobe", standalone_mode=False)
        sys.stdout.flush()
        print(MARK, end="", flush=True)
