"""Compiled kernels handed from child to child."""

from __future__ import annotations

import os
import sys
import threading
from pathlib import Path

import pytest
from watching import GUARD_S

from mlxprobe.schema.observation import Limits, Program
from mlxprobe.supervisor import kernel_cache
from mlxprobe.supervisor.watch import observe


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr("pathlib.Path.home", lambda: tmp_path)
    made = tmp_path / "child"
    made.mkdir()
    return made


def put(folder: Path, name: str, data: bytes = b"kernel") -> None:
    (folder / name).parent.mkdir(parents=True, exist_ok=True)
    (folder / name).write_bytes(data)


def files(folder: Path) -> set[str]:
    return {file.relative_to(folder).as_posix() for file in folder.rglob("*") if file.is_file()}


@pytest.mark.parametrize("name", ["mlx/0.32.4/cpu/libA.so", "libA.so"], ids=["today's place", "the place it once was"])
def test_the_next_child_has_what_the_last_one_built(name: str, folder: Path, tmp_path: Path) -> None:
    put(folder, name)
    kernel_cache.keep(folder, "mlx-0.32.4")
    kernel_cache.lend(tmp_path / "next", "mlx-0.32.4")
    assert files(tmp_path / "next") == {name}


def test_another_release_has_none_of_it(folder: Path, tmp_path: Path) -> None:
    put(folder, "mlx/0.32.4/cpu/libA.so")
    kernel_cache.keep(folder, "mlx-0.32.4")
    kernel_cache.lend(tmp_path / "next", "mlx-0.33.0")
    assert not (tmp_path / "next").exists()


def test_only_kernels_are_kept(folder: Path, tmp_path: Path) -> None:
    for name in ("mlx/0.32.4/cpu/libA.so", "mlx/0.32.4/cpu/A.cpp", "torch_extensions/libmine.so", "weights.npz"):
        put(folder, name)
    kernel_cache.keep(folder, "key")
    kernel_cache.lend(tmp_path / "next", "key")
    assert files(tmp_path / "next") == {"mlx/0.32.4/cpu/libA.so"}


def test_what_is_kept_is_not_overwritten(folder: Path, tmp_path: Path) -> None:
    put(folder, "libA.so", b"whole")
    kernel_cache.keep(folder, "key")
    put(folder, "libA.so", b"half")
    kernel_cache.keep(folder, "key")
    kernel_cache.lend(tmp_path / "next", "key")
    assert (tmp_path / "next" / "libA.so").read_bytes() == b"whole"


def test_a_folder_that_is_gone_has_nothing_to_keep(folder: Path) -> None:
    kernel_cache.keep(folder / "deleted", "key")


def test_a_cache_that_cannot_be_written_is_no_error(folder: Path, tmp_path: Path) -> None:
    put(folder, "libA.so")
    put(tmp_path, "cache/mlxprobe", b"a file where the folder should be")
    put(tmp_path, "Library/Caches/mlxprobe", b"a file where the folder should be")
    kernel_cache.keep(folder, "key")
    kernel_cache.lend(folder, "key")


def test_children_that_start_and_end_at_once_do_not_meet(folder: Path, tmp_path: Path) -> None:
    for number in range(100):
        put(folder, f"mlx/cpu/lib{number}.so")
    keeper = threading.Thread(target=kernel_cache.keep, args=(folder, "key"))
    keeper.start()
    rounds = 0
    while keeper.is_alive() or not rounds:
        kernel_cache.lend(tmp_path / f"next{rounds}", "key")
        rounds += 1
    keeper.join()
    kernel_cache.lend(tmp_path / "last", "key")
    assert len(files(tmp_path / "last")) == 100


def test_a_module_of_cuda_never_comes_without_the_list_of_its_kernels(folder: Path, tmp_path: Path) -> None:
    for number in range(200):
        for kind in ("cu", "ptx", "txt"):
            put(folder, f"mlx/0.32.4/ptx/{'deep/' * (number % 2)}{number}.{kind}")
    keeper = threading.Thread(target=kernel_cache.keep, args=(folder, "key"))
    keeper.start()
    alone, rounds = [], 0
    while keeper.is_alive() or not rounds:
        kernel_cache.lend(tmp_path / f"next{rounds}", "key")
        lent = files(tmp_path / f"next{rounds}")
        alone += [name for name in lent if str(Path(name).with_suffix(".txt")) not in lent]
        rounds += 1
    keeper.join()
    kernel_cache.lend(tmp_path / "last", "key")
    assert (len(files(tmp_path / "last")), alone) == (400, [])


def test_kernels_that_are_built_inside_a_process_are_seen_to_come(folder: Path) -> None:
    put(folder, "mlx/0.32.4/ptx/lent.ptx")
    built = kernel_cache.KernelBuilds(folder)
    assert not built.more()
    put(folder, "mlx/0.32.4/ptx/one.ptx")
    os.utime(folder / "mlx/0.32.4/ptx", ns=(10**19 // 5, 10**19 // 5))  # no clock is as coarse
    assert (built.more(), built.more()) == (True, False)
    put(folder, "weights.npz")
    assert not built.more()


BUILDS = """
import pathlib, tempfile, time
place = pathlib.Path(tempfile.gettempdir(), "mlx", "0.32.4", "ptx")
place.mkdir(parents=True)
for kernel in range(6):
    time.sleep(0.5)
    (place / f"{kernel}.ptx").touch()
"""


@pytest.mark.slow
@pytest.mark.timeout(GUARD_S)
def test_kernels_that_are_built_one_after_the_other_are_no_silence(tmp_path: Path) -> None:
    (tmp_path / "builds.py").write_text(BUILDS)
    limits = Limits(stall_s=1.0, startup_s=GUARD_S, timeout_s=GUARD_S, memory_bytes=10**9)
    seen = observe(Program(name="builds", argv=("script", str(tmp_path / "builds.py")), python=sys.executable), limits)
    assert (seen.ended, seen.exit_code) == ("exited", 0)
