"""The name of a file keeps its first letters, however long its path is."""

from __future__ import annotations

from pathlib import Path

import pytest

from mlxprobe.agent.introspection.paths import shortened, shown

LONG = "adapters-of-the-third-run-with-a-name-that-says-all-of-its-settings.safetensors"


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("model.npz", "model.npz"),
        (
            "/there/is/a/rather/long/way/to/the/weights/of/this/model.safetensors",
            "…/the/weights/of/this/model.safetensors",
        ),
        (f"/weights/{LONG}", "adapters-of-the-thir…ettings.safetensors"),
        (LONG, "adapters-of-the-thir…ettings.safetensors"),
    ],
)
def test_a_long_path_is_cut_in_whole_folders_and_a_long_name_in_its_middle(path: str, expected: str) -> None:
    assert shown(path, 40) == expected


def test_a_file_below_the_working_folder_is_named_from_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "runs").mkdir()
    monkeypatch.chdir(tmp_path)
    assert shown(str(tmp_path / "runs" / "last.npz"), 40) == "runs/last.npz"


def test_without_a_working_folder_a_path_is_told_as_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "gone"
    folder.mkdir()
    monkeypatch.chdir(folder)
    folder.rmdir()
    assert shown("/data/last.npz", 40) == "/data/last.npz"


def test_a_long_text_loses_its_middle() -> None:
    assert shortened("abcdefghij", 5) == "ab…ij"
    assert shortened("abcde", 5) == "abcde"
