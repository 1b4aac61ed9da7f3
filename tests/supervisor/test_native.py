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

from mlxprobe.schema.observation import Frame, Stack
from mlxprobe.supervisor import pyspy_stacks
from mlxprobe.system import LINUX
from mlxprobe.system.interface import Native
from mlxprobe.system.system import system

LIBC, LIBMLX = "/lib/libc.so.6", "/opt/mlx/lib/libmlx.so"
CALLS = (Native(LIBC, "pthread_cond_wait"), Native(LIBMLX, "mlx::core::Event::wait"))
REPORT = json.dumps([
    {"thread_id": 0x7F02, "thread_name": "MainThread", "os_thread_id": 7, "frames": []},
    {"thread_id": 0x7F03, "thread_name": None, "os_thread_id": 8, "frames": []},
    {"thread_id": 0x7F04, "thread_name": None, "os_thread_id": None, "frames": []},
])  # fmt: skip
HERE = (Frame(file="/home/me/train.py", line=42, function="step"),)


def stack(thread: str) -> Stack:
    return Stack(pid=7, thread=thread, frames=HERE)


class Inner:
    """Threads that are found asleep at the look so numbered."""

    def __init__(self, asleep_at: dict[int, int]) -> None:
        self._left = dict(asleep_at)

    def calls(self, number: int) -> tuple[Native, ...]:
        self._left[number] = self._left.get(number, pyspy_stacks.TRIES + 1) - 1
        return CALLS if self._left[number] == 0 else ()


def tool(folder: Path, text: str) -> Callable[[], str]:
    file = folder / "py-spy"
    file.write_text(f"#!/bin/sh\n{text}\n")
    file.chmod(0o755)
    return lambda: str(file)


@pytest.mark.slow
@pytest.mark.parametrize(("thread", "at"), [(f"0x{0x7F02:016x}", 1), ("MainThread", 30), (f"0x{0x7F03:016x}", 1)])
def test_a_stack_gets_its_own_threads_calls_and_nobody_is_stopped(
    thread: str, at: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "report").write_text(REPORT)
    monkeypatch.setattr(pyspy_stacks, "program", tool(tmp_path, 'cd "$(dirname "$0")"; echo "$@" >> asked; cat report'))
    inner = SimpleNamespace(inner=lambda _: Inner({7: at}), stopped=lambda _: False)
    monkeypatch.setattr(pyspy_stacks, "system", inner)
    (found,) = pyspy_stacks.with_native([stack(thread)])
    wanted = [] if thread == f"0x{0x7F03:016x}" else ["pthread_cond_wait", "mlx::core::Event::wait"]
    assert [frame.function for frame in found.native] == wanted
    assert (tmp_path / "asked").read_text() == "dump --nonblocking --json --pid 7\n"


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
    monkeypatch.setattr(pyspy_stacks, "program", (lambda: "") if text is None else tool(tmp_path, text))
    began_s = time.monotonic()
    assert pyspy_stacks.with_native([stack("0x1")], within_s=0.5) == (stack("0x1"),)
    assert time.monotonic() - began_s < 10


@pytest.mark.slow
@pytest.mark.skipif(not LINUX or not pyspy_stacks.program(), reason="py-spy is in the extra `native`")
def test_a_hang_in_c_is_told_by_its_native_call() -> None:
    with subprocess.Popen([sys.executable, toy("blocked_without_gil")]) as hung:
        try:
            assert until(lambda: Path(f"/proc/{hung.pid}/wchan").read_text().startswith("futex"))
            found = pyspy_stacks.native(hung.pid, 10)
            assert any("mutex_lock" in frame.function for one in found for frame in one.frames), found
            assert [one.state for one in system.threads([hung.pid])] == ["S"]  # it was let go
        finally:
            hung.kill()
