"""Records of ranks from several hosts as one: what is between ranks is sought again, or it is told why not."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import msgspec
import pytest
from click.testing import CliRunner
from lanes import hashed, healthy, waiting
from making import record, record_row

from mlxprobe.cli import main
from mlxprobe.reports import verdicts
from mlxprobe.reports.html.timeline import timeline
from mlxprobe.runner.judging import judged_all
from mlxprobe.runner.merge_records import joined
from mlxprobe.schema.errors import UsageError
from mlxprobe.schema.from_record import observation
from mlxprobe.schema.observation import Observation
from mlxprobe.schema.record import Record
from mlxprobe.schema.record_io import decode, encode, slim

HANG = (waiting(0, "gmgmgmg"), waiting(1, "gmgmgmm", line=34))
APART = tuple(healthy(rank, "ggg", sightings=(hashed(1, "a", 1.0), hashed(2, f"{rank}", rank))) for rank in (0, 1))


def hosts(seen: Sequence[Observation]) -> dict[str, Record]:
    """Return what each host has written, that saw one rank alone."""
    return {f"rank-{k}.json": record(*judged_all([one])) for k, one in enumerate(seen)}


@pytest.mark.parametrize("seen", [HANG, APART], ids=["a hang", "parameters that part"])
def test_joined_they_show_what_they_would_have_shown_together(seen: Sequence[Observation]) -> None:
    apart = hosts(seen)
    assert not [found for one in apart.values() for row in one.programs for found in row.findings if found.together]
    made, right = joined(apart).programs, judged_all(seen)
    for mine, its in zip(made, right, strict=True):
        assert set(map(str, mine.findings)) == set(map(str, its.findings))
        assert mine.remarks == its.remarks
    assert any(found.together for found in made[0].findings)


def test_ranks_of_a_record_of_version_5_are_not_compared_again() -> None:
    """Its facts had names and details, and no types; its steps and all else are read."""
    (name, new), other = hosts(APART).items()
    old = json.loads(encode(new)) | {"schema_version": 5}
    old["programs"][0]["compared"]["prints"] = [{"name": "parameters hashed", "detail": {"at": 1, "bits": "a"}}]
    del old["programs"][0]["compared"]["facts"]
    made = joined(dict([(name, decode(json.dumps(old).encode(), name)), other]))
    assert made.problems == (
        "the record of rank 0 has not what ranks are compared by: nothing between ranks was sought",
    )
    assert not any(found.together for row in made.programs for found in row.findings)
    assert len(observation(made.programs[0]).steps) == 3


def test_a_host_alone_says_which_ranks_it_has_not_seen() -> None:
    (one, _) = hosts(APART).values()
    assert "no finding; rank 1 of 2 was not watched" in verdicts.verdict(one.programs[0])


def test_ranks_come_in_their_order() -> None:
    first, second = hosts(HANG).items()
    rows = joined(dict([second, first])).programs
    assert [one.process.rank for one in rows if one.process] == [0, 1]


def test_the_clocks_of_hosts_are_brought_together_by_what_they_finished_together() -> None:
    late = tuple(
        msgspec.structs.replace(one, built_s=one.built_s + 30, done_s=one.done_s + 30)
        for one in healthy(1, "gmgm").collectives
        if one.done_s
    )
    rows = joined(hosts((healthy(0, "gmgm"), healthy(1, "gmgm", collectives=late)))).programs
    assert [one.clock_s for one in rows] == [0.0, -30.0]
    made = timeline(rows)
    assert made is not None and made["domain"][1] < 1


def test_what_cannot_be_compared_is_told() -> None:
    poor = hosts(HANG)
    (row,) = poor["rank-1.json"].programs
    poor["rank-1.json"] = record(msgspec.structs.replace(row, compared=None))
    made = joined(poor)
    assert made.problems == (
        "the record of rank 1 has not what ranks are compared by: nothing between ranks was sought",
    )
    assert not [found for one in made.programs for found in one.findings if found.together]


def test_other_releases_are_told() -> None:
    some = hosts(APART)
    older = msgspec.structs.replace(some["rank-1.json"].environment, mlx="0.31.2")
    some["rank-1.json"] = msgspec.structs.replace(some["rank-1.json"], environment=older)
    assert joined(some).problems == ("the hosts have different releases of MLX: 0.31.2, 0.32.4",)


def of(*seen: Observation) -> Record:
    return record(*judged_all(seen))


WRONG = [
    ("one that has no rank", {"a": of(HANG[0]), "b": record(record_row())}, "b: not only ranks in it"),
    ("a baseline", {"a": of(HANG[0]), "b": slim(of(HANG[1]))}, "b: not only ranks in it"),
    ("one rank twice", {"a": of(HANG[0]), "b": of(HANG[0])}, "a, b: rank 0 more than once"),
    ("of other runs", {"a": of(healthy(0, "g", size=2)), "b": of(healthy(1, "g", size=4))}, "ranks of 2 and of 4"),
]


@pytest.mark.parametrize(("records", "words"), [row[1:] for row in WRONG], ids=[row[0] for row in WRONG])
def test_it_is_refused(records: dict[str, Record], words: str) -> None:
    with pytest.raises(UsageError, match=words):
        joined(records)


def test_the_command_joins_files(tmp_path: Path) -> None:
    files = []
    for name, one in hosts(HANG).items():
        files.append(str(tmp_path / name))
        (tmp_path / name).write_bytes(encode(one))
    ran = CliRunner().invoke(main, ["merge", *files])
    assert ran.exit_code == 0
    assert "MP701 error rank-behind: rank 1 never built number 7" in " ".join(ran.output.split())
    again = CliRunner().invoke(main, ["merge", "--format", "json", *files])
    assert '"MP701"' in again.output
