"""Threads of ours: `threading` knows none of them, and a program that joins all that it knows goes on."""

from __future__ import annotations

import logging
import os
import signal
import socket
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from running import PRELUDE, UNTRAINED, run, watch

from mlxprobe.agent.hooks.threads import Threads
from mlxprobe.agent.introspection import call_site
from mlxprobe.agent.lifecycle.exit_status import wait_for_ending
from mlxprobe.agent.wire import bound, threads
from mlxprobe.agent.wire.json_lines import Line
from mlxprobe.agent.wire.listener import Listener
from mlxprobe.runner import sidecar
from mlxprobe.system import self_process

JOINS = """
def work(seconds): time.sleep(seconds); print("worker", flush=True)
import threading, time
for seconds in (0.1, 0.3): threading.Thread(target=work, args=(seconds,)).start()
for thread in threading.enumerate():
    if thread is not threading.main_thread(): thread.join()
print("joined", [one.name for one in threading.enumerate()])
"""
COUNTS = """
import threading, time
threading.Thread(target=time.sleep, args=(0.2,)).start()
while threading.active_count() > 1: time.sleep(0.01)
print("counted", threading.active_count())
"""
LEAVES = """
import _thread, sys, threading, time
def leave(): sys.exit(3)
for _ in range(3): _thread.start_new_thread(leave, ())
time.sleep(0.2)
print("left", threading.active_count())
"""
FORKS = """
import os, threading
pid = os.fork()
if not pid:
    import subprocess
    train(30)
    print("child", threading.active_count(), flush=True)
    os._exit(0)
os.waitpid(pid, 0)
print("parent", threading.active_count())
"""


@pytest.fixture
def stays() -> Iterator[Any]:
    """A lock that holds a thread until the test is over."""
    lock = bound.allocate_lock()
    lock.acquire()
    yield lock
    if lock.locked():
        lock.release()


def listed() -> list[int | None]:
    return [one.native_id for one in threading.enumerate()]


def test_threading_does_not_list_it_and_its_number_is_known_at_once(stays: Any) -> None:
    before, inside = listed(), list[int]()

    def run() -> None:
        inside.append(bound.get_native_id())
        stays.acquire()

    made = threads.Thread(run)
    assert made.native_id and made.native_id not in listed()
    assert (listed(), threading.active_count()) == (before, len(before))
    made.join(0.01)
    stays.release()
    made.join(60.0)
    made.join(60.0)
    assert inside == [made.native_id]


def test_a_fork_waits_for_no_thread_of_its_parent(stays: Any) -> None:
    made = threads.Thread(stays.acquire)
    pid = os.fork()
    if not pid:
        began_s = time.monotonic()
        made.join(60.0)
        os._exit(time.monotonic() - began_s > 30)
    assert os.waitpid(pid, 0)[1] == 0


def test_a_thread_that_threading_does_not_know_is_asked_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(threading.Thread, "start", threading.Thread.start)
    made, found = Threads(), list[call_site.Site]()
    made._given.add(test_a_fork_waits_for_no_thread_of_its_parent.__code__)
    before = listed()
    threads.Thread(lambda: found.append(made.maker())).join(60.0)
    assert (found, listed()) == ([call_site.NOWHERE], before)
    assert made.maker()[0] == __file__


def test_it_takes_no_signal_and_leaves_the_mask_of_its_starter(stays: Any) -> None:
    before, masks = signal.pthread_sigmask(signal.SIG_BLOCK, ()), list[set[Any]]()

    def run() -> None:
        masks.append(signal.pthread_sigmask(signal.SIG_BLOCK, ()))

    threads.Thread(run).join(60.0)
    assert masks and {signal.SIGALRM, signal.SIGINT, signal.SIGURG} <= masks[0]
    assert signal.pthread_sigmask(signal.SIG_BLOCK, ()) == before


def test_a_handler_that_raises_while_a_thread_starts_leaves_no_signal_blocked(monkeypatch: pytest.MonkeyPatch) -> None:
    before, handler = signal.pthread_sigmask(signal.SIG_BLOCK, ()), signal.getsignal(signal.SIGALRM)

    class Out(Exception): ...

    def raises(*_: object) -> None:
        raise Out

    def start(*_: object) -> None:
        signal.raise_signal(signal.SIGALRM)  # which is blocked now

    monkeypatch.setattr(bound, "start_new_thread", start)
    signal.signal(signal.SIGALRM, raises)
    try:
        with pytest.raises(Out):
            threads.start(lambda: None)
            time.sleep(60)
    finally:
        signal.signal(signal.SIGALRM, handler)
    assert signal.pthread_sigmask(signal.SIG_BLOCK, ()) == before


@pytest.mark.parametrize("own", [False, True], ids=["Python's records", "records of the program's own"])
def test_a_message_that_is_logged_on_our_thread_does_not_list_it(own: bool, caplog: pytest.LogCaptureFixture) -> None:
    factory, before = logging.getLogRecordFactory(), threading.active_count()

    def make(*args: Any, **kwargs: Any) -> logging.LogRecord:
        record = logging.LogRecord(*args, **kwargs)
        record.request = "7"
        return record

    ours, theirs = socket.socketpair()
    line, other = Line(ours), Line(theirs)
    if own:
        logging.setLogRecordFactory(make)
    try:
        with caplog.at_level(logging.INFO):
            listener = Listener(line, sidecar.logged)
            other.send(say="60 % of it", level=logging.WARNING, n=1)
            assert other.hear() == [{"heard": 1}]
            assert threading.active_count() == before
    finally:
        logging.setLogRecordFactory(factory)
        other.close()
        listener.thread.join(60.0)
        line.close()
    (record,) = [one for one in caplog.records if one.name == "mlxprobe"]
    assert (record.getMessage(), record.levelname) == ("60 % of it", "WARNING")
    assert abs(record.created - time.time()) < 600
    assert threading.active_count() == before


def test_the_end_waits_for_a_thread_that_has_returned_and_is_not_gone() -> None:
    ids, ended = list[int](), list[bool]()

    def run() -> None:
        ids.append(bound.get_native_id())
        time.sleep(0.1)
        ended.append(True)

    threads.start(run)  # listed nowhere, as one that `join` has returned for
    while not ids:
        time.sleep(0.001)
    wait_for_ending({*ids, bound.get_native_id()})
    assert ended and str(ids[0]) not in self_process.threads()


@pytest.mark.slow
@pytest.mark.parametrize("source", [JOINS, COUNTS, LEAVES, FORKS], ids=["joins", "counts", "leaves", "forks"])
def test_a_program_that_goes_by_the_threads_that_it_knows(source: str, tmp_path: Path) -> None:
    begin = UNTRAINED if source is FORKS else PRELUDE  # MLX hangs in a fork of a process that has evaluated
    (tmp_path / "train.py").write_text(begin + source)
    bare, ours = run([sys.executable, "train.py"], tmp_path), watch(tmp_path, "train.py")
    assert (ours.code, ours.out) == (bare.code, bare.out)
