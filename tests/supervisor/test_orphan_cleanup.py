"""Who is killed where no reaper can end a program's tree: what it marked, and nobody else."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import psutil
import pytest
from watching import until

from mlxprobe.supervisor.child import _marked, sweep


def test_a_session_that_is_not_known_is_nobodys(monkeypatch: pytest.MonkeyPatch) -> None:
    """What enters a container from outside has the session 0 there."""
    monkeypatch.setattr(os, "getsid", lambda _: 0)
    assert list(_marked("/nowhere", 0)) == []


def test_a_session_that_is_known_is_the_programs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "getsid", lambda pid: 7 if pid == os.getpid() else 8)
    assert [process.pid for process in _marked("/nowhere", 7)] == [os.getpid()]


@pytest.mark.skipif(sys.platform != "linux", reason="a main thread ends alone where Linux calls a process a zombie")
def test_what_goes_on_after_its_main_thread_is_killed_too(tmp_path: Path) -> None:
    """Of a program that is being killed on a busy machine, too, the main thread ends before the others."""
    words = "import ctypes, threading; threading.Thread(target=input).start(); ctypes.CDLL(None).pthread_exit(None)"
    order = [sys.executable, "-c", words]
    with subprocess.Popen(order, stdin=subprocess.PIPE, start_new_session=True) as program:
        try:
            assert until(lambda: psutil.Process(program.pid).status() == psutil.STATUS_ZOMBIE)
            assert psutil.Process(program.pid).num_threads() > 1
            assert sweep(tmp_path, program.pid) == ()
            assert psutil.Process(program.pid).num_threads() < 2
        finally:
            program.kill()
