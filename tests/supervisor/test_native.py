"""Native stacks: py-spy's report read, a real process that hangs in C, and every way of having none."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest
from watching import toy, until

from mlxprobe.platform import LINUX
from mlxprobe.platform.interface import Native
from mlxprobe.platform.system import system
from mlxprobe.supervisor import native
from mlxprobe.values.observation import Frame, Stack

LIBMLX = "/opt/mlx/lib/libmlx.so"
NATIVE = [
    {"name": "0x7f22", "filename": "/lib/libc.so.6", "module": "/lib/libc.so.6"},
    {"name": "pthread_cond_wait", "filename": "/lib/libc.so.6", "module": "/lib/libc.so.6"},
    {"name": "mlx::core::Event::wait", "filename": LIBMLX, "module": LIBMLX},
]
PYTHON = {"name": "step", "filename": "/home/me/train.py", "module": None}
OUTER = {"name": "main", "filename": "/usr/bin/python3", "module": "/usr/bin/python3"}
REPORT = json.dumps([
    {"thread_id": 0x7F02, "thread_name": "MainThread", "os_thread_id": 7, "frames": [*NATIVE, PYTHON, OUTER]},
    {"thread_id": 0x7F03, "thread_name": None, "os_thread_id": 8, "frames": [PYTHON]},
]).encode()  # fmt: skip
HERE = (Frame(file="/home/me/train.py", line=42, function="step"),)


def stack(thread: str) -> Stack:
    return Stack(pid=7, thread=thread, frames=HERE)


def test_what_lies_further_in_than_python_is_told_with_its_names() -> None:
    main, other = native.parse(REPORT, pid=7)
    assert [frame.function for frame in main.frames] == ["pthread_cond_wait", "mlx::core::Event::wait"]
    assert (main.thread, other.frames) == (f"0x{0x7F02:016x}", ())


@pytest.mark.parametrize("thread", [f"0x{0x7F02:016x}", "MainThread"], ids=["by its number", "by its name"])
def test_a_stack_gets_its_own_threads_frames(thread: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(native, "native", lambda pid, within_s: native.parse(REPORT, pid))
    (found,) = native.with_native([stack(thread)])
    assert [frame.function for frame in found.native] == ["pthread_cond_wait", "mlx::core::Event::wait"]
    assert native.with_native([stack("0x9")]) == (stack("0x9"),)


def tool(folder: Path, text: str) -> Callable[[], str]:
    file = folder / "py-spy"
    file.write_text(f"#!/bin/sh\n{text}\n")
    file.chmod(0o755)
    return lambda: str(file)


class Recorded:
    """What reads stacks, and the ways in which it was asked to."""

    def __init__(self, reads: Callable[[int, float, str], bytes]) -> None:
        self._reads = reads
        self.ways: list[str] = []

    def __call__(self, pid: int, within_s: float, how: str) -> bytes:
        self.ways.append(how)
        return self._reads(pid, within_s, how)


def test_where_one_thread_runs_the_process_is_stopped_to_be_read(monkeypatch: pytest.MonkeyPatch) -> None:
    calls = {7: (Native("/lib/libc.so.6", "futex_wait"),), 8: ()}
    inner = SimpleNamespace(calls=lambda number: calls[number])
    monkeypatch.setattr(native, "system", SimpleNamespace(inner=lambda _: inner))
    assert native.asleep(REPORT, 7) == []
    calls[8] = (Native("/lib/libc.so.6", "poll"),)
    assert [(one.thread, one.frames[0].function) for one in native.asleep(REPORT, 7)] == [
        (f"0x{0x7F02:016x}", "futex_wait"),
        (f"0x{0x7F03:016x}", "poll"),
    ]


NONE = [
    ("is not installed", None),
    ("is not allowed", "echo 'Permission denied' >&2; exit 1"),
    ("speaks nonsense", "echo '{'"),
    ("speaks of other things", "echo '[{\"a\": 1}]'"),
    ("does not come to an end", "exec sleep 60"),
]


@pytest.mark.slow
@pytest.mark.parametrize("text", [case[1] for case in NONE], ids=[f"a tool that {case[0]}" for case in NONE])
def test_no_native_stacks_are_no_failure(text: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(native, "program", (lambda: "") if text is None else tool(tmp_path, text))
    began_s = time.monotonic()
    assert native.with_native([stack("0x1")], within_s=0.5) == (stack("0x1"),)
    assert time.monotonic() - began_s < 10


@pytest.mark.slow
@pytest.mark.skipif(not LINUX or not native.program(), reason="py-spy is in the extra `native`")
def test_a_hang_in_c_is_told_by_its_native_call_and_nobody_is_stopped(monkeypatch: pytest.MonkeyPatch) -> None:
    with subprocess.Popen([sys.executable, toy("blocked_without_gil")]) as hung:
        try:
            assert until(lambda: Path(f"/proc/{hung.pid}/wchan").read_text().startswith("futex"))
            dumped = Recorded(native._dumped)
            monkeypatch.setattr(native, "_dumped", dumped)
            found = native.native(hung.pid, 10)
            assert dumped.ways == ["--nonblocking"]  # it sleeps: nobody stops it
            assert any("mutex_lock" in frame.function for one in found for frame in one.frames), found
            assert [one.state for one in system.threads([hung.pid])] == ["S"]  # it was let go
        finally:
            hung.kill()
