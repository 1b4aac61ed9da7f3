"""The ways that any POSIX system has: what ps(1) prints, what lines of Python tell, and what real processes show."""

from __future__ import annotations

import ctypes
import os
import re
import socket
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from watching import until

from mlxprobe.system import kin
from mlxprobe.system.interface import Awaited, Platform, Thread
from mlxprobe.system.linux import Linux
from mlxprobe.system.portable import CachedAnswer, Portable, mac
from mlxprobe.system.portable.states import ORDER, States, parsed
from mlxprobe.system.portable.waits import awaited, outside

STATES = [
    ("a process counts as one thread", "7 Ssl\n", {7: "S"}),
    ("one thread that runs is enough", "7 S\n7 R\n7 S\n", {7: "R"}),
    ("one that waits for a disk is no sleeper", "7 S\n7 D+\n", {7: "D"}),
    ("nor is it as BSDs call it", "7 U\n", {7: "D"}),
    ("who has slept for long on macOS sleeps", "7 I+\n", {7: "S"}),
    ("who is stopped is stopped in all threads", "7 Tl\n7 Tl\n", {7: "T"}),
    ("who has ended is not there", "7 Z\n8 S\n", {8: "S"}),
    ("but where the main thread alone has ended", "7 Zl\n7 Sl\n", {7: "S"}),
    ("nothing tells of nobody", "", {}),
]


@pytest.mark.parametrize(("rows", "told"), [one[1:] for one in STATES], ids=[one[0] for one in STATES])
def test_a_process_is_as_ready_as_its_readiest_thread(rows: str, told: dict[int, str]) -> None:
    assert parsed(rows) == told


OF_A_MAC = """
  612     1   612 S<s  /usr/libexec/a_daemon
 9651   501  9651 SNs  python train.py HOME=/Users/one TMPDIR=/var/folders/x/T/mark
 9652  9651  9652 I    python train.py TMPDIR=/var/folders/x/T/mark
 9653     1  9653 S    python detached.py KEPT=/var/folders/x/T/mark AFTER=1
 9654     1  9651 R+   /bin/sleep 1000
 9655     1  9655 S    python other.py TMPDIR=/var/folders/x/T/marked
 9656  9651  9651 Z    <defunct>
 9657     1  9657 ?E   (python3.12)
"""  # made as Apple's print.c makes it; what the system protects, such as /bin/sleep, shows no environment


def test_rows_of_macos_tell_who_is_the_programs() -> None:
    us = os.getpid()
    assert kin.parsed(OF_A_MAC, 9651, "/var/folders/x/T/mark") == {
        612: 1, 9651: us, 9652: us, 9653: us, 9654: us, 9655: 1, 9657: 1
    }  # fmt: skip


def test_every_column_is_an_option_of_its_own() -> None:
    """FreeBSD's ps(1) takes all that follows a `=` for a header: with one list there is one column."""
    for order in (kin.COLUMNS, ORDER):
        assert all("," not in word for word in order)
        assert len([word for word in order if word.startswith("-o")]) > 1


LINES = [
    ("a sleep that ends soon is waited for", "time.sleep(90)", "the end of a sleep"),
    ("one that lasts is stuck", "time.sleep(1_000)", ""),
    ("of one whose end nobody knows it may be soon", "time.sleep(pause)", "the end of a sleep"),
    ("a question is a person's to answer", "answer = input('go on? ')", "input on its terminal"),
    ("so is what comes from the terminal", "for line in sys.stdin:", "input on its terminal"),
    (
        "a rank that is early connects again and again",
        "group = mx.distributed.init()",
        "the other ranks, which it tries to connect to again and again",
    ),
    ("a lock is nobody's but the program's", "lock.acquire()", ""),
]


@pytest.mark.parametrize(("line", "told"), [one[1:] for one in LINES], ids=[one[0] for one in LINES])
def test_lines_of_python_tell_what_is_waited_for(line: str, told: str) -> None:
    assert outside([], 100.0, [line]) == told


def test_who_is_connected_may_wait_for_the_other_side() -> None:
    me = (os.getpid(),)
    with socket.create_server(("127.0.0.1", 0)) as server:
        assert outside(me, 100.0, []) == ""
        code = "import socket, sys; s = socket.create_connection(('127.0.0.1', int(sys.argv[1]))); s.recv(1)"
        with subprocess.Popen([sys.executable, "-c", code, str(server.getsockname()[1])]) as other:
            answer, _ = server.accept()
            with answer:
                assert outside(me, 100.0, []) == outside((other.pid,), 100.0, []) == "the network"
                assert outside((*me, other.pid), 100.0, []) == "", "both ends are in the tree"
            other.kill()


def test_what_a_process_waits_for_is_told_by_its_state_or_its_line() -> None:
    assert awaited(Thread(0, 0, "D", 0, 0), "") == Awaited("a disk", outer=True)
    assert awaited(Thread(0, 0, "T", 0, 0), "").outer
    assert awaited(Thread(0, 0, "S", 0, 0), "input()") == Awaited("input on its terminal", outer=True)
    assert awaited(Thread(0, 0, "S", 0, 0), "lock.acquire()") == Awaited()
    assert awaited(Thread(0, 0, "S", 0, 0), f"time.sleep({10**9})").outer, "it ends some day: nobody is stuck"


def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Return the time, which the test sets from here on."""
    now_s = [0.0]
    for module in ("portable", "portable.states"):
        monkeypatch.setattr(f"mlxprobe.system.{module}.time", SimpleNamespace(monotonic=lambda: now_s[0]))
    return now_s


def test_an_answer_holds_for_as_long_as_it_took(monkeypatch: pytest.MonkeyPatch) -> None:
    now_s, asked_s = clock(monkeypatch), []

    def ask() -> int:
        asked_s.append(now_s[0])
        now_s[0] += 0.4
        return len(asked_s)

    told = CachedAnswer(ask)
    assert told.now() == told.now() == 1
    now_s[0] += 0.3
    assert told.now() == 1
    now_s[0] += 0.2
    assert told.now() == 2
    assert asked_s == [0.0, pytest.approx(0.9)]


def test_a_short_while_of_work_is_a_move_and_the_agents_own_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    now_s, cpu_s = clock(monkeypatch), [5.0]
    monkeypatch.setattr("mlxprobe.system.portable.states.cpu_seconds", lambda _: cpu_s[0])
    monkeypatch.setattr("mlxprobe.system.portable.states._ps", lambda: "7 S\n")
    states = States()

    def moves(after_s: float, used_s: float) -> int:
        now_s[0] += after_s
        cpu_s[0] += used_s
        return states.threads([7])[0].switches

    assert [moves(1.0, 0.0), moves(0.1, 0.01), moves(0.1, 0.01), moves(0.4, 0.0)] == [0, 0, 0, 0]
    assert moves(0.1, 0.05) == 1
    assert [moves(0.5, 0.0) for _ in range(100)] == [1] * 100
    assert moves(0.5, 0.1) == 2, "a long rest allows no more"


def test_who_is_ready_at_two_looks_has_waited_for_what_it_did_not_get(monkeypatch: pytest.MonkeyPatch) -> None:
    now_s, state = clock(monkeypatch), ["S"]
    monkeypatch.setattr("mlxprobe.system.portable.states.cpu_seconds", lambda _: now_s[0] / 4)
    monkeypatch.setattr("mlxprobe.system.portable.states._ps", lambda: f"7 {state[0]}\n")
    states = States()

    def waited_s(its: str) -> float:
        state[0] = its
        now_s[0] += 1.0
        states.threads([7])
        return states.waited_s(7)

    assert [waited_s(its) for its in "SRRRSRR"] == [0, 0, 0.75, 1.5, 1.5, 1.5, 2.25]


def test_a_busy_thread_is_seen_beside_a_main_thread_that_sleeps() -> None:
    code = "import threading as t; t.Thread(target=lambda: [0 for _ in iter(int, 1)]).start(); t.Event().wait()"
    with subprocess.Popen([sys.executable, "-c", code]) as busy:
        system = Portable()
        assert until(lambda: [one.state for one in system.threads([busy.pid])] == ["R"])
        assert until(lambda: system.threads([busy.pid])[0].switches > 1)
        assert system.times(busy.pid)[busy.pid].used_ns > 0
        assert system.handles(busy.pid, 10)
        busy.kill()
    assert until(lambda: system.threads([busy.pid]) == [])


def test_a_fork_that_became_another_program_is_not_signalled() -> None:
    system = Portable()
    held, let_go = os.pipe()
    if not (fork := os.fork()):
        os.close(let_go)
        os.read(held, 1)
        os._exit(0)
    with subprocess.Popen(["sleep", "60"]) as other:
        try:
            assert system.handles(fork, 10, os.getpid()) and system.is_fork(fork, {os.getpid()})
            assert not system.handles(other.pid, 10, os.getpid()) and not system.handles(other.pid, 10)
            assert not system.is_fork(other.pid, {os.getpid()})
        finally:
            os.close(let_go)
            os.waitpid(fork, 0)
            other.kill()


def test_a_file_that_is_a_processs_stderr_is_found(tmp_path: Path) -> None:
    with (tmp_path / "log").open("w") as log, subprocess.Popen(["sleep", "60"], stderr=log) as process:
        assert until(lambda: Portable().stderr(process.pid) == str(tmp_path / "log"))
        process.kill()


def test_macos_tells_a_footprint(monkeypatch: pytest.MonkeyPatch) -> None:
    """The layout is that of `struct rusage_info_v0`; no Mac has run this."""
    assert mac.Usage.ri_phys_footprint.offset == 72 and ctypes.sizeof(mac.Usage) == 96

    def told(pid: int, flavor: int, buffer: Any) -> int:
        buffer._obj.ri_phys_footprint = 1000 + pid
        return 0 if pid == 7 else -1

    monkeypatch.setattr(mac, "_libproc", lambda: SimpleNamespace(proc_pid_rusage=told))
    assert (mac.footprint_bytes(7), mac.footprint_bytes(8)) == (1007, 0)


def test_both_systems_answer_every_question() -> None:
    asked = {name for name in vars(Platform) if not name.startswith("_")}
    for system in (Linux, Portable):
        assert asked <= set(dir(system))
    assert 0 < Portable().available_bytes() <= Portable().memory_bytes()
    assert re.fullmatch("no stacks of process 7, 8: .+", Portable().forbidden([7, 8]))
