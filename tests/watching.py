"""Look at processes from outside, without the supervisor's help."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterable
from pathlib import Path

import psutil

from mlxprobe.selftest import misbehaving

TOYS = misbehaving.FOLDER
MARK = "MARK_OF_THE_TEST"
GUARD_S = 600.0  # no measure of anything: a test that waits for what never comes ends, however busy the machine is


def toy(name: str) -> str:
    return str(TOYS / f"{name}.py")


def marked(mark: str) -> list[psutil.Process]:
    """List the living processes that carry a mark in their environment, whoever their parents are."""
    found = []
    for process in psutil.process_iter():
        try:
            if mark in environment(process):
                found.append(process)
        except (psutil.Error, OSError):
            continue
    return found


def environment(process: psutil.Process) -> str:
    """Return the environment of a living process; of a thread where the main thread has ended."""
    if process.status() != psutil.STATUS_ZOMBIE:
        return str(process.environ().get(MARK, ""))
    if process.num_threads() < 2:
        return ""
    return Path(f"/proc/{process.pid}/task/{process.threads()[-1].id}/environ").read_text(errors="replace")


def is_ready(process: psutil.Process) -> bool:
    """Tell whether a process runs, or waits for a processor or a disk."""
    try:
        return process.status() in (psutil.STATUS_RUNNING, psutil.STATUS_DISK_SLEEP)
    except psutil.Error:
        return True


def commands(mark: str) -> list[str]:
    """List the command lines of marked processes; what a failing assertion shows."""
    found = []
    for process in marked(mark):
        try:
            found.append(" ".join(process.cmdline()))
        except psutil.ZombieProcess:
            found.append(str(process))
        except psutil.Error:
            continue
    return found


def until(condition: Callable[[], object], within_s: float = GUARD_S) -> bool:
    """Poll until a condition holds; return whether it did in time."""
    deadline = time.monotonic() + within_s
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


def starved_s(pids: Iterable[int]) -> float:
    """Return how long the threads of processes have waited for a processor so far: what a busy machine took from them.

    Linux tells it whatever the supervisor is to go by; macOS does not tell.
    """
    waited = 0
    for pid in pids:
        for told in Path(f"/proc/{pid}/task").glob("*/schedstat"):
            with contextlib.suppress(OSError):  # it has ended
                waited += int(told.read_text().split()[1])
    return waited / 1e9
