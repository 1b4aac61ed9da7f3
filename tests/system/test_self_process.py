"""Who may trace the watched process: declared where the system asks for it, and nowhere else."""

import ctypes
import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from mlxprobe.system import LINUX, self_process

SCOPES = [
    ("a system that restricts tracing is told who may", "1\n", "42", [(self_process.PR_SET_PTRACER, 42)]),
    ("one that lets everybody trace is told nothing", "0\n", "42", []),
    ("one that lets the administrator alone cannot be asked", "2\n", "42", []),
    ("one without such a file is told nothing", None, "42", []),
    ("without a supervisor there is nobody to name", "1\n", "", []),
]


@pytest.mark.parametrize(("scope", "supervisor", "said"), [one[1:] for one in SCOPES], ids=[one[0] for one in SCOPES])
def test_tracing_is_allowed(
    scope: str | None,
    supervisor: str,
    said: list[tuple[int, int]],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    told: list[tuple[int, int]] = []
    monkeypatch.setattr(self_process, "LINUX", True)
    file = tmp_path / "ptrace_scope"
    if scope is not None:
        file.write_text(scope)
    monkeypatch.setattr(self_process, "SCOPE_FILE", str(file))
    forked: list[object] = []
    monkeypatch.setattr(os, "register_at_fork", lambda **given: forked.append(given))
    libc = SimpleNamespace(prctl=lambda option, pid, *_: told.append((option, pid)))
    monkeypatch.setattr(ctypes, "CDLL", lambda _: libc)
    self_process.allow_tracing(supervisor)
    assert (told, len(forked)) == (said, len(said))


def test_what_a_process_has_held_is_told_in_bytes() -> None:
    held = b"1" * (64 * 2**20)
    assert len(held) < self_process.most_held_bytes() < 2**40


@pytest.mark.skipif(not LINUX, reason="elsewhere it is told with what whoever started it held")
def test_what_a_process_has_held_at_the_most_is_its_own() -> None:
    """Not what whoever started it held before."""
    held = b"1" * (128 * 2**20)
    order = "from mlxprobe.system import self_process; print(self_process.most_held_bytes())"
    ran = subprocess.run([sys.executable, "-c", order], capture_output=True, text=True, check=True)
    assert 2**20 < int(ran.stdout) < len(held) < self_process.most_held_bytes()
