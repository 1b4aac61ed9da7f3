"""Files are written as the user would write them: whole, with their umask, over a link's target."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from mlxprobe.schema.errors import ProbeError
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
