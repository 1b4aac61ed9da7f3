"""Threads and their waits, as the kernel tells of them: real processes, asked from outside."""

from __future__ import annotations

import os
import pty
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from watching import until

from mlxprobe.system import LINUX
from mlxprobe.system.interface import READY, Thread
from mlxprobe.system.linux.threads import threads
from mlxprobe.system.linux.wait_reason import outside

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not LINUX, reason="only Linux tells of threads"),
]
BUSY = (
    "import os, threading; threading.Thread(target=lambda: [0 for _ in iter(int, 1)]).start(); threading.Event().wait()"
)
OPENED = "file_actions=[(os.POSIX_SPAWN_OPEN, 9, sys.argv[1], 0, 0)]"
SPAWN = f"import os, sys; os.posix_spawn('/bin/true', ['true'], {{}}, {OPENED})"
SOON_S = 100.0


@pytest.fixture
def started() -> Iterator[list[subprocess.Popen[bytes]]]:
    processes: list[subprocess.Popen[bytes]] = []
    yield processes
    for process in processes:
        process.kill()
        process.wait(10)


def python(code: str, *words: str, stdin: int = subprocess.DEVNULL) -> subprocess.Popen[bytes]:
    return subprocess.Popen([sys.executable, "-c", code, *words], stdin=stdin, stderr=subprocess.DEVNULL)


def test_a_busy_thread_is_seen_beside_a_main_thread_that_sleeps(started: list[subprocess.Popen[bytes]]) -> None:
    started.append(python(BUSY))
    assert until(lambda: {one.state for one in threads([started[0].pid])} == {"S", "R"})


def test_a_thread_that_waits_where_no_signal_reaches_it_is_not_asleep(
    started: list[subprocess.Popen[bytes]], tmp_path: Path
) -> None:
    """As for a disk; here for a child that shares its memory and has not yet become another program."""
    os.mkfifo(tmp_path / "fifo")
    started.append(python(SPAWN, str(tmp_path / "fifo")))
    try:
        assert until(lambda: [one.state for one in threads([started[0].pid])] == ["D"])
        assert "D" in READY
    finally:
        os.close(os.open(tmp_path / "fifo", os.O_RDWR))


def test_a_process_that_has_ended_has_no_threads() -> None:
    with subprocess.Popen(["true"]) as ended:
        ended.wait()
    assert threads([ended.pid]) == []


def test_a_thread_may_be_left_out() -> None:
    everyone = threads([os.getpid()])
    rest = threads([os.getpid()], {str(os.getpid())})
    assert {one.number for one in everyone} - {one.number for one in rest} == {os.getpid()}


def waits(*pids: int) -> str:
    return outside(threads(pids), SOON_S)


@pytest.mark.parametrize("code", ["import sys; sys.stdin.readline()", "import readline; input()", "input()"])
def test_who_reads_a_terminal_waits_for_a_person(code: str, started: list[subprocess.Popen[bytes]]) -> None:
    ours, theirs = pty.openpty()
    started.append(python(code, stdin=theirs))
    try:
        assert until(lambda: waits(started[0].pid) == "input on its terminal")
    finally:
        os.close(ours)
        os.close(theirs)


NETWORK = "import socket, sys; s = socket.create_connection(('127.0.0.1', int(sys.argv[1])));"


@pytest.mark.parametrize("code", ["s.recv(1)", "s.settimeout(90); s.recv(1)", "s.makefile().readline()"])
def test_who_reads_a_socket_waits_for_the_network(code: str, started: list[subprocess.Popen[bytes]]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        started.append(python(NETWORK + code, str(server.getsockname()[1])))
        answer, _ = server.accept()
        with answer:
            assert until(lambda: waits(started[0].pid) == "the network")
            assert waits(started[0].pid, os.getpid()) != "the network"  # the other end is in the tree


@pytest.mark.parametrize(
    ("code", "said"),
    [
        ("import time; time.sleep(90)", "the end of a sleep, in 90 s"),
        ("import time; time.sleep(1000)", ""),
        ("import ctypes; ctypes.CDLL(None).sleep(90)", "the end of a sleep, in 90 s"),
        ("import threading; threading.Event().wait()", ""),
        ("import os; os.read(os.pipe()[0], 1)", ""),
        ("import socket; a, b = socket.socketpair(); a.recv(1)", ""),
    ],
)
def test_a_wait_is_told_by_its_end(code: str, said: str, started: list[subprocess.Popen[bytes]]) -> None:
    started.append(python(code))
    pid = started[0].pid
    assert until(lambda: Path(f"/proc/{pid}/syscall").read_text().split()[0] in {"0", "230", "202", "45", "35"})
    assert until(lambda: waits(pid)[:25] == said[:25])


def test_a_debugger_is_what_a_traced_program_waits_for() -> None:
    assert outside([Thread(7, 7, "S", 1, 99)], SOON_S) == "a debugger"
    assert outside([Thread(7, 7, "S", 1, 9), Thread(9, 9, "S", 1, 0)], SOON_S) == ""
