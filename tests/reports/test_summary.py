"""The sheet of facts: what it says, in how many lines, and what it says of an earlier run."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from making import watched_row

from mlxprobe.reports import diagnosis, summary
from mlxprobe.schema.enums import Outcome
from mlxprobe.schema.observation import Environment, Raised, Reading
from mlxprobe.schema.record import ProgramRecord, Record
from mlxprobe.schema.run_summary import Kind, Model, Optimizer, Phase, Sheet

HERE = Environment(python="3.11", executable="", platform="")
SHEET = Sheet(
    model=Model(
        parameters=215_360,
        trainable=34_816,
        kinds={"Linear": Kind(modules=29, parameters=171_000), "LoRALinear": Kind(modules=28, trainable=34_816)},
        adapters={"LoRALinear, rank 8, scale 20": 28},
        weights={"float32": 215_360},
        activations=("bfloat16", "float32"),
        gradients=("float32",),
        state=("float32",),
        logits="float16",
        classes=126,
    ),
    optimizers=(
        Optimizer(
            name="AdamW",
            rates=((1, 0.0), (10, 1e-3), (15, 1e-5)),
            schedule="linear_schedule(0, 0.001, 10) then cosine_decay(0.001, 5)",
            warmup=10,
            weight_decay=0.01,
        ),
    ),
    updates=15,
    gradients=60,
    calls_each=(4, 4),
    mean_loss=True,
    batches={"4×33 int32": 12, "4×65 int32": 3},
    compared=9,
    different=4,
    positions=5_120,
    carrying=4_710,
    traces={"step": (2, 60), "never": (0, 0)},
    phases={"steps": Phase(seconds=8.0, times=60), "between steps": Phase(seconds=2.0, times=59)},
    line_between="a.py:25",
    peak_bytes=5_200_000,
    peak_in="steps",
    read=("model.safetensors",),
    written=("adapters.safetensors",),
)
ROW = ProgramRecord(
    program="train.py",
    outcome=Outcome.PASS,
    reason="",
    as_expected=True,
    findings=(),
    losses=(Reading(step=1, value=4.933), Reading(step=60, value=4.463)),
    step_s=(0.6, 0.1, 0.1, 0.1),
    worst_step=3,
    worst_step_s=0.3,
    sheet=SHEET,
)


def test_a_sheet_says_each_fact_once_and_judges_nothing() -> None:
    assert summary.lines(ROW) == [
        ("trained", "34,816 of 215,360 parameters (16.2 %)"),
        ("", "in LoRALinear 34,816; none in Linear"),
        ("adapters", "28 × LoRALinear, rank 8, scale 20"),
        (
            "types",
            "updated weights float32, activations bfloat16 and float32, gradients float32, state float32, "
            "logits float16",
        ),
        (
            "optimizer",
            "AdamW, rate 0 → up to 0.001 at sampled updates → 1e-05, "
            "linear_schedule(0, 0.001, 10) then cosine_decay(0.001, 5) "
            "(warm-up of 10 done), weight decay 0.01 on all that it updates",
        ),
        ("updates", "15, 4 gradient calls per update"),
        ("arguments", "4×33 int32, 4×65 int32 at sampled steps; of 9 batches that were compared, 4 are distinct"),
        ("positions", "92 % of 5,120 sampled positions carry loss"),
        ("loss", "4.933 → 4.463 (sampled); of a mean over positions, chance is ln 126 = 4.836"),
        ("compiled", "step: 2 traces, 60 calls"),
        (
            "time",
            "10 s from the first gradient call to the last evaluation: "
            "steps 80%, between steps 20% (most of it at a.py:25); median step 100 ms, first 600 ms, slowest after it "
            "300 ms (step 3); a step ends where the next begins",
        ),
        ("memory", "peak 5.2 MB, reached in: steps"),
        ("files", "read model.safetensors; wrote adapters.safetensors"),
    ]


@pytest.mark.parametrize(
    ("sheet", "told"),
    [
        (Sheet(updates=40, gradients=40), "40"),
        (Sheet(updates=40, by_hand=40, gradients=40), "40 by hand"),
        (Sheet(updates=10, by_hand=10, gradients=40), "10 by hand"),
        (Sheet(updates=60, by_hand=20, gradients=80), "60, 20 of them by hand"),
        (Sheet(updates=60, gradients=13_200), "60"),
        (Sheet(updates=60, gradients=13_200, calls_each=(76, 256)), "60"),
        (Sheet(updates=36, gradients=8_640, calls_each=(240, 240)), "36, 240 gradient calls per update"),
        (Sheet(updates=36, gradients=8_800), "36"),
        (Sheet(updates=392, gradients=400, calls_each=(1, 2)), "392"),
        (Sheet(updates=40, gradients=40, calls_each=(1, 1)), "40"),
        (Sheet(updates=40, by_hand=40, gradients=80, uncounted=True), "40 by hand; others seen but not counted"),
        (
            Sheet(updates=40, gradients=80, unfollowed=40),
            "40; 40 gradient calls of other arrays could not be followed",
        ),
        (Sheet(gradients=40), "none, 40 gradient calls"),
        (Sheet(gradients=40, uncounted=True), "seen but not counted, 40 gradient calls"),
        (Sheet(gradients=40, unfollowed=39), "none seen, 40 gradient calls"),
    ],
)
def test_updates_are_reported_with_how_they_were_made(sheet: Sheet, told: str) -> None:
    assert dict(summary.lines(msgspec.structs.replace(ROW, sheet=sheet)))["updates"] == told


TWO = tuple(Reading(step=n, value=v, stream=k) for n, v, k in ((1, 2.0, 0), (9, 0.5, 0), (10, 9.0, 1), (19, 3.0, 1)))
IN_TURN = tuple(Reading(step=k, value=float(k), stream=k % 2) for k in range(1, 9))
FIVE = tuple(Reading(step=10 * k + n, value=float(k + n), stream=k) for k in range(5) for n in (1, 2))
LOSSES = [
    ("one model after another", TWO, (), "2 → 0.5, then 9 → 3"),
    ("models that take turns", IN_TURN, (), "1 → 7 and 2 → 8"),
    ("one model in two trainings", ROW.losses * 2, ((0, 60),), "4.933 → 4.933, then 4.463 → 4.463"),
    ("more than are named", FIVE, (), "1 → 2, …, 5 → 6 (first and last of 5 trainings)"),
]


@pytest.mark.parametrize(("losses", "begun", "told"), [row[1:] for row in LOSSES], ids=[row[0] for row in LOSSES])
def test_headline_and_sheet_have_the_same_losses(
    losses: tuple[Reading, ...], begun: tuple[tuple[int, int], ...], told: str
) -> None:
    sheet = msgspec.structs.replace(SHEET, begun=begun, mean_loss=False, gradients=len(losses))
    row = msgspec.structs.replace(ROW, losses=losses, sheet=sheet)
    assert dict(summary.lines(row))["loss"] == told
    assert diagnosis.figures(row).endswith(f"loss {told}")


def test_parameters_of_each_part_of_a_run_are_reported() -> None:
    model = Model(parameters=6_750, trainable=1_112, before=((5_638, 5_638),))
    told = dict(summary.lines(msgspec.structs.replace(ROW, sheet=Sheet(model=model))))
    assert told["trained"] == "first 5,638 of 5,638 (100 %), then 1,112 of 6,750 parameters (16.5 %)"


SGD = Optimizer(name="SGD", rates=((1, 0.3),))
ADAM = Optimizer(name="Adam", rates=((1, 0.001),))
OPTIMIZERS = [
    (Sheet(updates=1, optimizers=(SGD,) * 3, optimizers_seen=5, optimizers_alike=True), "5 × SGD, rate 0.3"),
    (Sheet(updates=1, optimizers=(SGD,) * 3, optimizers_seen=5), "5 in all, among them SGD, rate 0.3"),
    (Sheet(updates=1, optimizers=(SGD, ADAM), optimizers_seen=2), "SGD, rate 0.3; Adam, rate 0.001"),
    (Sheet(updates=1, optimizers=(SGD, SGD)), "2 × SGD, rate 0.3"),
]


@pytest.mark.parametrize(("sheet", "told"), OPTIMIZERS)
def test_optimizers_that_are_alike_are_counted(sheet: Sheet, told: str) -> None:
    assert dict(summary.lines(msgspec.structs.replace(ROW, sheet=sheet)))["optimizer"] == told


def test_a_chance_level_is_reported_of_a_known_mean_alone() -> None:
    sheet = msgspec.structs.replace(SHEET, mean_loss=False)
    assert dict(summary.lines(msgspec.structs.replace(ROW, sheet=sheet)))["loss"] == "4.933 → 4.463 (sampled)"


def test_a_run_without_training_has_no_sheet() -> None:
    assert summary.lines(msgspec.structs.replace(ROW, sheet=Sheet())) == []


def test_a_report_ends_with_the_sheet_within_its_width() -> None:
    text = diagnosis.render(
        Record(schema_version=1, mlxprobe="", time="", environment=HERE, programs=(ROW,)),
    )
    assert "\ntrained   34,816 of" in text
    assert max(map(len, text.splitlines())) <= 80


def test_what_an_earlier_run_had_otherwise_is_told_and_times_are_not() -> None:
    assert SHEET.model is not None
    model = msgspec.structs.replace(SHEET.model, trainable=215_360, adapters={})
    before = msgspec.structs.replace(SHEET, model=model, phases={"steps": Phase(seconds=5.0)})
    then = summary.lines(msgspec.structs.replace(ROW, sheet=before, losses=()))
    assert summary.changed(summary.lines(ROW), then) == [
        ("trained", "215,360 of 215,360 parameters (100 %)"),
        ("adapters", "–"),
    ]


def test_what_a_run_that_hangs_sent_last_is_dated() -> None:
    sheet = msgspec.structs.replace(SHEET, as_of=12)
    told = dict(summary.lines(msgspec.structs.replace(ROW, sheet=sheet)))
    assert told["compiled"] == "step: 2 traces, 60 calls up to update 12"
    assert told["time"].startswith("10 s up to update 12: steps 80%")


@pytest.mark.parametrize(
    ("changes", "least"),
    [
        ({"outcome": Outcome.CRASH, "exit_code": -9, "finished": False}, True),
        ({"outcome": Outcome.CRASH, "exit_code": None, "finished": False}, True),
        ({"outcome": Outcome.CRASH, "exit_code": 3}, False),
        ({"outcome": Outcome.PASS, "exit_code": -15, "ended": "enough"}, False),
        ({"outcome": Outcome.PASS, "exit_code": 0, "finished": True}, False),
        ({"outcome": Outcome.UNJUDGED, "exit_code": -2, "raised": Raised(type="KeyboardInterrupt", message="")}, False),
    ],
)
def test_counts_of_what_was_cut_off_are_the_least(changes: dict[str, Any], least: bool) -> None:
    row = watched_row(steps=33, begun_s=1.0, sheet=Sheet(updates=33, gradients=33), **changes)
    assert diagnosis.figures(row).startswith("at least 33 steps" if least else "33 steps")
    assert dict(summary.lines(row))["updates"].startswith("at least 33" if least else "33")
