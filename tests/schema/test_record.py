"""Records: what is written is what is read, whole or not at all."""

import json
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from making import record, record_row, seen

from mlxprobe.schema import record_io as records
from mlxprobe.schema.enums import Outcome
from mlxprobe.schema.errors import ProbeError, UsageError
from mlxprobe.schema.observation import Reading, Step
from mlxprobe.schema.record import Expectation, Unchecked, Verdict
from mlxprobe.schema.versions import SCHEMA_VERSION

text = st.text(st.characters(codec="utf-8"), max_size=20)


@given(
    outcome=st.sampled_from(list(Outcome)),
    reason=text,
    variant=text,
    losses=st.lists(st.builds(Reading, step=st.integers(0, 10**6), value=st.floats(allow_nan=False, width=64)))
    .map(lambda many: [one for one in many if abs(one.value) != float("inf")])
    .map(tuple),
    pending=st.dictionaries(st.integers(0, 10**6), st.integers(0, 10**9), max_size=3),
)
def test_a_record_survives_the_round_trip(outcome, reason, variant, losses, pending) -> None:  # type: ignore[no-untyped-def]
    made = record(record_row(outcome, reason=reason, variant=variant, losses=losses, pending=pending))
    assert records.decode(records.encode(made), "memory") == made


def test_values_that_are_not_finite_survive_too() -> None:
    made = record(record_row(losses=(Reading(step=1, value=float("inf")), Reading(step=2, value=float("-inf")))))
    again = records.decode(records.encode(made), "memory")
    assert [one.value for one in again.programs[0].losses] == [float("inf"), float("-inf")]


BASELINES = sorted((Path(__file__).parents[2] / "reports" / "baselines").glob("*.json"))
OLD_USERS = b"""{"schema_version": 1, "mlxprobe": "0.1.0", "time": "", "programs": [{"scenario": "programs",
    "variant": "train.py", "role": "broken", "outcome": "pass", "reason": "", "as_expected": true, "expects": "pass"}],
    "environment": {"python": "3.12", "executable": "", "platform": ""}}"""


@pytest.mark.parametrize("file", BASELINES, ids=lambda file: file.stem)
def test_records_of_version_1_are_read(file: Path) -> None:
    made = records.load(file)
    assert made.schema_version == SCHEMA_VERSION
    assert len(made.programs) > 50 and all(one.scenario and one.role for one in made.programs)


def test_a_users_program_of_version_1_loses_what_it_never_had() -> None:
    one = records.decode(OLD_USERS, "old").programs[0]
    assert (one.program, one.scenario, one.variant, one.role, one.expects) == ("train.py", "", "", None, None)
    assert (one.name, one.findings) == ("programs/train.py", ())


def test_a_users_program_has_no_words_of_a_scenario() -> None:
    for expectation, expected in ((Expectation(), {"expects"}), (None, set())):
        made = records.row(seen(), (), Verdict(outcome=Outcome.PASS, reason=""), expectation, program="train.py")
        told = json.loads(records.encode(record(made)))["programs"][0]
        assert told["program"] == "train.py" and told["findings"] == []
        assert told.keys() & {"scenario", "variant", "role", "claims", "expects"} == expected
        assert made.watched is not bool(expected)


OLD_GAPS = b"""{"schema_version": 4, "mlxprobe": "0.1.0", "time": "", "programs": [{"program": "train.py",
    "outcome": "pass", "reason": "", "as_expected": true, "findings": [
    {"code": "MP105", "name": "n", "severity": "warning", "message": "m"},
    {"code": "MP303", "name": "n", "severity": "note", "message": "no ids", "checked": false, "ranks": [0, 1]}]}],
    "environment": {"python": "3.12", "executable": "", "platform": ""}}"""


def test_what_was_not_checked_is_no_finding_of_version_4_any_longer() -> None:
    one = records.decode(OLD_GAPS, "old").programs[0]
    assert [found.code for found in one.findings] == ["MP105"]
    assert one.unchecked == (Unchecked(code="MP303", name="n", why="no ids", ranks=(0, 1)),)


def test_the_worst_step_is_among_the_figures() -> None:
    steps = tuple(
        Step(n=n, t_s=1 + n * 0.1 + (7 if n > 15 else 0), step_s=7.1 if n == 16 else 0.1) for n in range(1, 21)
    )
    made = records.row(seen(steps=steps), (), Verdict(outcome=Outcome.PASS, reason=""), Expectation(), program="x")
    assert (made.worst_step, made.worst_step_s) == (16, 7.1)
    assert made.steps_s == pytest.approx(9.0)


BAD = [
    (
        "another schema version is named",
        b'{"schema_version": 99}',
        "schema version 99; this mlxprobe reads versions 1 to 6",
    ),
    ("a truncated record", records.encode(record())[:200], "not a whole mlxprobe record"),
    ("no JSON at all", b"hello", "not a whole mlxprobe record"),
    ("JSON that is no record", b'{"schema_version": 1, "programs": 3}', "not an mlxprobe record"),
]


@pytest.mark.parametrize(("data", "words"), [case[1:] for case in BAD], ids=[case[0] for case in BAD])
def test_a_bad_record_is_told_with_its_origin(data: bytes, words: str, tmp_path: Path) -> None:
    file = tmp_path / "old.json"
    file.write_bytes(data)
    with pytest.raises(UsageError, match=words) as caught:
        records.load(file)
    assert str(file) in str(caught.value)


def test_a_missing_record_is_told(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="No such file"):
        records.load(tmp_path / "none.json")


def test_writing_below_a_file_fails_clearly_and_leaves_nothing(tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("")
    with pytest.raises(ProbeError, match=r"record\.json: cannot be written"):
        records.write(tmp_path / "taken" / "record.json", b"x")
    assert [entry.name for entry in tmp_path.iterdir()] == ["taken"]


def test_a_failed_write_keeps_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "record.json"
    file.write_bytes(b"old")

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(ProbeError, match="No space left"):
        records.write(file, b"new")
    assert file.read_bytes() == b"old"
    assert [entry.name for entry in tmp_path.iterdir()] == ["record.json"]


def test_what_is_no_file_is_written_to_and_stays_what_it_is(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    try:
        records.write(pipe, b"told")
        assert os.read(reader, 100) == b"told" and pipe.is_fifo()
    finally:
        os.close(reader)


def test_gradient_calls_before_the_first_update_are_part_of_its_step() -> None:
    calls = [Step(n=n, t_s=0.01 * n, step_s=0.01, gradients=1) for n in range(1, 240)]
    updates = [Step(n=n, t_s=2.4 * n, step_s=2.4 if n > 1 else 0.01, gradients=240) for n in range(1, 5)]
    updates[0] = Step(n=1, t_s=2.4, step_s=0.01, gradients=1)
    made = records.row(
        seen(steps=(*calls, *updates)),
        (),
        Verdict(outcome=Outcome.PASS, reason="", as_expected=True),
        None,
        program="train.py",
    )
    assert made.steps == len(made.step_s) == 4
    assert made.step_s == pytest.approx((2.4, 2.4, 2.4, 2.4))
    assert made.worst_step_s == pytest.approx(2.4)
