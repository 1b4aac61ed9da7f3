"""The matrix: cells, changes, shards, merging, and files that cannot be used."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import msgspec
import pytest
from making import HERE, record, record_row

from mlxprobe.cluster.executor import Here
from mlxprobe.releases.index import Release
from mlxprobe.reports.matrix import MATRIX_FORMATS
from mlxprobe.runner.schedule import Task
from mlxprobe.schema.enums import Outcome
from mlxprobe.schema.errors import NoWheelError, UsageError
from mlxprobe.schema.record import ProgramRecord, Record
from mlxprobe.settings.table import resolve
from mlxprobe.upgrade import matrix
from mlxprobe.upgrade.matrix import Matrix, add, empty
from mlxprobe.upgrade.matrix_run import fill, narrowed


def of(mlx: str, *rows: ProgramRecord, device: str = "cpu") -> Record:
    return record(*rows, environment=msgspec.structs.replace(HERE, mlx=mlx, device=device))


LAZY, EAGER = record_row(variant="lazy"), record_row(variant="eager")
LAZY_RAISES = record_row(Outcome.ERROR, variant="lazy", reason="There is no Stream")


def filled() -> Matrix:
    found = empty()
    for one in (of("0.32.0", LAZY_RAISES, EAGER), of("0.9.0", LAZY, EAGER), of("0.31.2", LAZY, EAGER)):
        found = add(found, one)
    return found


def test_releases_stand_in_the_order_of_their_versions() -> None:
    assert [one.environment.mlx for one in filled().records] == ["0.9.0", "0.31.2", "0.32.0"]


@pytest.mark.parametrize("form", ["text", "markdown"])
def test_a_change_is_marked_and_told(form: str) -> None:
    report = MATRIX_FORMATS[form](filled())
    assert report.count("▸error") == 1
    assert "toy/lazy: pass → error at 0.32.0: There is no Stream" in report


def test_programs_stand_by_scenario_whatever_a_release_lacks() -> None:
    other = record_row(scenario="another", variant="correct")
    found = add(add(empty(), of("0.31.2", LAZY)), of("0.32.0", EAGER, LAZY, other))
    assert [name for name, _ in matrix.rows(found)] == ["toy/eager", "toy/lazy", "another/correct"]


@pytest.mark.parametrize("form", ["text", "markdown"])
def test_no_line_ends_in_spaces(form: str) -> None:
    report = MATRIX_FORMATS[form](add(add(empty(), of("0.31.2", LAZY)), of("0.32.0", EAGER)))
    assert [line for line in report.splitlines() if line != line.rstrip()] == []


def test_the_asked_part_of_a_matrix_is_in_the_order_asked() -> None:
    (one, *_) = narrowed(filled(), [of("0.9.0").environment], ["toy/eager", "toy/lazy"], ()).records
    assert [row.name for row in one.programs] == ["toy/eager", "toy/lazy"]


class Runners:
    """Releases of which one can be installed from the second time on."""

    def __init__(self, *missing: str) -> None:
        self.missing, self.place = missing, Here(resolve({}))
        self.stop = self.place.stop

    def of(self, release: Release) -> Any:
        if release.name in self.missing:
            raise NoWheelError("no wheel")
        return SimpleNamespace(environment=msgspec.structs.replace(HERE, mlx=release.name), stop=self.stop)


def test_a_release_is_skipped_until_it_can_be_installed(tmp_path: Path) -> None:
    task = Task(name=LAZY.name, run=lambda _: LAZY, again=lambda _: LAZY)
    wanted = [Release(name=one, version=one) for one in ("0.31.2", "0.32.0")]
    found = empty()
    for missing, skipped, count in ((("0.31.2",), {"0.31.2": "no wheel"}, 1), ((), {}, 2)):
        runners: Any = Runners(*missing)
        found = fill(found, wanted, [task], [runners], part=(1, 1), file=tmp_path / "matrix.json")
        assert (found.skipped, len(found.records)) == (skipped, count)


def test_shards_cover_every_cell_once_and_merge_into_the_whole() -> None:
    cells = [(release, program) for release in "abc" for program in "wxyz"]
    parts = [matrix.share(cells, (k, 5)) for k in range(1, 6)]
    assert sorted(pair for part in parts for pair in part) == sorted(cells)
    first, second = add(empty(), of("0.31.2", LAZY)), add(empty(), of("0.31.2", EAGER))
    merged = matrix.merge([first, second])
    assert [one.variant for one in merged.records[0].programs] == ["lazy", "eager"]


def test_devices_stand_side_by_side_and_changes_are_those_of_one_device() -> None:
    metal = msgspec.structs.replace(HERE, mlx="0.32.0", device="gpu", platform="macOS-15")
    shards = [of("0.32.0", LAZY), of("0.31.2", LAZY_RAISES, device="gpu"), of("0.32.0", LAZY_RAISES, device="gpu"),
              of("0.31.2", LAZY), record(LAZY_RAISES, environment=metal)]  # fmt: skip
    report = MATRIX_FORMATS["markdown"](matrix.merge(add(empty(), one) for one in shards))
    head = "| program | 0.31.2 cpu | 0.32.0 cpu | 0.31.2 gpu | 0.32.0 gpu | 0.32.0 metal |"
    assert head in report and "▸" not in report and "no outcome changes" in report


@pytest.mark.parametrize("text", ["0/2", "3/2", "2", "a/b", f"1/{'9' * 5000}"])
def test_a_bad_shard_is_told(text: str) -> None:
    with pytest.raises(UsageError, match="is not i/n"):
        matrix.shard(text)


def test_a_matrix_survives_the_round_trip_and_a_bad_file_is_told(tmp_path: Path) -> None:
    file = tmp_path / "matrix.json"
    file.write_bytes(matrix.encode(filled()))
    assert matrix.load(file) == filled()
    file.write_bytes(matrix.encode(filled())[:300])
    with pytest.raises(UsageError, match="not a whole mlxprobe matrix"):
        matrix.load(file)
    file.write_bytes(b'{"schema_version": 9}')
    with pytest.raises(UsageError, match="schema version 9"):
        matrix.load(file)


def test_a_release_of_too_many_digits_has_a_key() -> None:
    assert matrix.release_key("0.32.4") == [0, 32, 4]
    assert matrix.release_key("9" * 5000)[0] == 999_999_999


def test_one_release_alone_is_no_comparison() -> None:
    alone = add(empty(), record(LAZY))
    assert "no program could be compared" in MATRIX_FORMATS["text"](alone)
