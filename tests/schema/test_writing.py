"""Files are written as the user would write them: whole, with their umask, over a link's target."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import msgspec
import pytest

from mlxprobe.schema import record_io
from mlxprobe.schema.errors import ProbeError, UsageError
from mlxprobe.schema.record_io import check_writable, write


@pytest.fixture(params=[0o022, 0o077, 0o002])
def umask(request: pytest.FixtureRequest) -> Iterator[int]:
    before = os.umask(request.param)
    yield request.param
    os.umask(before)


def mode(file: Path) -> int:
    return stat.S_IMODE(file.stat().st_mode)


def test_a_new_file_has_the_mode_of_the_umask(umask: int, tmp_path: Path) -> None:
    write(tmp_path / "new.json", b"x")
    assert mode(tmp_path / "new.json") == 0o666 & ~umask


@pytest.mark.parametrize("kept", [0o600, 0o664, 0o640])
def test_a_file_keeps_its_mode(kept: int, tmp_path: Path) -> None:
    file = tmp_path / "old.json"
    file.write_text("old")
    file.chmod(kept)
    write(file, b"new")
    assert (mode(file), file.read_bytes()) == (kept, b"new")


@pytest.mark.parametrize("there", [True, False])
def test_a_link_stays_and_its_target_is_written(there: bool, tmp_path: Path) -> None:
    (tmp_path / "far").mkdir()
    target, link = tmp_path / "far" / "target.json", tmp_path / "link.json"
    if there:
        target.write_text("old")
    link.symlink_to("far/target.json")
    check_writable(link)
    write(link, b"new")
    assert link.is_symlink() and target.read_bytes() == b"new"
    assert sorted(one.name for one in tmp_path.rglob("*")) == ["far", "link.json", "target.json"]


def test_a_link_to_itself_is_refused(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to("link")
    with pytest.raises(ProbeError, match="link: cannot be written"):
        write(tmp_path / "link", b"new")
    assert (tmp_path / "link").is_symlink()


def test_a_long_name_is_written(tmp_path: Path) -> None:
    file = tmp_path / ("x" * 250 + ".json")
    write(file, b"new")
    assert file.read_bytes() == b"new"


def test_a_pipe_that_nobody_reads_is_given_up(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(ProbeError, match="pipe: cannot be written: no process reads this pipe"):
        record_io.write(tmp_path / "pipe", b"x")


def test_a_pipe_whose_reader_stops_is_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(record_io, "IDLE_S", 0.1)
    os.mkfifo(tmp_path / "pipe")
    fd = os.open(tmp_path / "pipe", os.O_RDONLY | os.O_NONBLOCK)
    with pytest.raises(ProbeError, match="its reader took nothing"):
        record_io.write(tmp_path / "pipe", b"x" * 10**6)
    os.close(fd)


def test_a_pipe_with_a_reader_gets_everything(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with ThreadPoolExecutor(1) as pool:
        read = pool.submit((tmp_path / "pipe").read_bytes)
        record_io.write(tmp_path / "pipe", b"x" * 10**6)
        assert read.result() == b"x" * 10**6


def test_json_that_its_layout_would_make_too_large_has_none(monkeypatch: pytest.MonkeyPatch) -> None:
    value = {"losses": [{"step": k} for k in range(100)]}
    most = len(record_io.json_text(value)) - 1
    assert "\n  " in record_io.json_text(value)
    monkeypatch.setattr(record_io, "MOST_BYTES", most)
    told = record_io.json_text(value)
    assert len(told) < most and "\n" not in told.strip()
    assert msgspec.json.decode(told) == value


def test_a_matrix_in_place_of_a_record_is_called_one() -> None:
    with pytest.raises(UsageError, match="x: a matrix of several records"):
        record_io.decode(b'{"schema_version": 1, "records": []}', "x")
