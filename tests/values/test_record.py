"""Records: what is written is what is read, whole or not at all."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from making import record, record_row

from mlxprobe.values import files as records
from mlxprobe.values.errors import ProbeError, UsageError
from mlxprobe.values.observation import Reading
from mlxprobe.values.vocabulary import Outcome

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


BAD = [
    ("another schema version is named", b'{"schema_version": 99}', "schema version 99; this mlxprobe reads version 1"),
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
