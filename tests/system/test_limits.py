"""Limits of the portable interfaces, row by row of the table in docs/guide/tested.md, measured on both kinds."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest
from watching import GUARD_S, until

from mlxprobe.schema.enums import HangKind
from mlxprobe.schema.observation import Limits, Program
from mlxprobe.supervisor.child import Child
from mlxprobe.supervisor.external_process import lives
from mlxprobe.supervisor.watch import Watcher, observe
from mlxprobe.system import LINUX, self_process
from mlxprobe.system.linux import memory
from mlxprobe.system.system import system

LIMITS = Limits(stall_s=1.0, startup_s=GUARD_S, timeout_s=GUARD_S, memory_bytes=10**9)
DETACHES_TWICE = """
import os, sys, threading
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        with open(sys.argv[1] + ".new", "w") as file:
            file.write(str(os.getpid()))
        os.execve(sys.executable, [sys.executable, "-S", "-c", "import threading; threading.Event().wait()"], {})
    os._exit(0)
os.wait()
while not os.path.exists(sys.argv[1] + ".new"):
    pass
os.rename(sys.argv[1] + ".new", sys.argv[1])
threading.Event().wait()
"""
WAKES = """
import threading
def beat():
    while True:
        threading.Event().wait(0.05)
threading.Thread(target=beat, daemon=True).start()
threading.Event().wait()
"""


def program(tmp_path: Path, text: str, *words: str) -> Program:
    (tmp_path / "program.py").write_text(text)
    return Program(name="program", argv=("script", str(tmp_path / "program.py"), *words), python=sys.executable)


@pytest.mark.slow
@pytest.mark.timeout(GUARD_S)
def test_an_orphan_without_an_environment_is_counted_and_ended_where_it_is_adopted(tmp_path: Path) -> None:
    told, counted = tmp_path / "pid", []

    def look(watcher: Watcher) -> bool:
        if told.exists() and told.read_text():
            counted.append(int(told.read_text()) in watcher.tree.scan())
        return bool(counted)

    observe(program(tmp_path, DETACHES_TWICE, str(told)), LIMITS, progress=look)
    orphan = psutil.Process(int(told.read_text())) if psutil.pid_exists(int(told.read_text())) else None
    assert (counted, orphan is None) == ([LINUX], LINUX)
    if orphan is not None:
        orphan.kill()


@pytest.mark.slow
@pytest.mark.timeout(GUARD_S)
def test_a_thread_that_only_wakes_is_no_sleeper_where_threads_are_told(tmp_path: Path) -> None:
    seen = observe(program(tmp_path, WAKES), LIMITS)
    assert seen.silence is not None
    assert seen.silence.kind is (HangKind.UNKNOWN if LINUX else HangKind.DEADLOCK)


@pytest.mark.slow
@pytest.mark.timeout(GUARD_S)
def test_a_program_whose_reaper_is_killed_ends_by_itself(tmp_path: Path) -> None:
    began = tmp_path / "began"  # where nothing ends it, it is to be there; else it may be killed before it has begun
    text = f"import threading; open({str(began)!r}, 'w').close(); threading.Event().wait()"
    with Child(program(tmp_path, text), tmp_path) as child:
        while not (child.pid if LINUX else began.exists()):
            child.pump(0.1)
        os.kill(child.above_pid, signal.SIGKILL)
        while not child.lost:
            child.pump(0.1)
        its = psutil.Process(child.pid)
        assert until(lambda: not lives(its)) if LINUX else lives(its)
    assert not lives(its)


OBSERVE = """
import sys
from mlxprobe.supervisor.watch import observe
from mlxprobe.schema.observation import Limits, Program
limits = Limits(stall_s=600, startup_s=600, timeout_s=600, memory_bytes=10**9)
observe(Program(name="program", argv=("script", sys.argv[1]), python=sys.executable), limits)
"""
TELLS = "import os, threading\nopen({0!r} + '.new', 'w').write(f'{{os.getpid()}} {{os.getppid()}}')\n"
TELLS += "os.rename({0!r} + '.new', {0!r})\nthreading.Event().wait()"


@pytest.mark.slow
@pytest.mark.timeout(GUARD_S)
def test_a_program_whose_supervisor_and_reaper_are_killed_at_once_ends_too(tmp_path: Path) -> None:
    told = tmp_path / "told"
    file = program(tmp_path, TELLS.format(str(told))).argv[1]
    with subprocess.Popen([sys.executable, "-c", OBSERVE, file]) as supervisor:
        assert until(told.exists)
        pid, reaper = map(int, told.read_text().split())
        its, both = psutil.Process(pid), (supervisor.pid, reaper)
        for number in (signal.SIGSTOP, signal.SIGKILL):  # neither sees the other go
            for one in both:
                os.kill(one, number)
    assert until(lambda: not psutil.pid_exists(reaper))
    try:
        assert until(lambda: not lives(its)) if LINUX else lives(its)
    finally:
        if lives(its):
            its.kill()


def test_a_thread_that_waits_for_a_processor_is_seen_to_be_about_to_answer() -> None:
    with subprocess.Popen([sys.executable, "-c", "while True: pass"]) as busy:
        try:
            assert until(lambda: system.runs(busy.pid))
            assert system.any_ready([busy.pid], [str(busy.pid)]) is LINUX
        finally:
            busy.kill()


def test_a_containers_share_of_the_memory_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "memory.max").write_text("1000000\n")
    monkeypatch.setattr(memory, "CGROUP", tmp_path)
    assert (system.memory_bytes() == 1_000_000) is LINUX


def test_threads_are_told_one_by_one() -> None:
    over = threading.Event()
    other = threading.Thread(target=over.wait)
    other.start()
    try:
        assert system.knows_threads is LINUX
        assert (len(system.threads([os.getpid()])) > 1) is (len(system.times(os.getpid())) > 1) is LINUX
        assert (str(other.native_id) in self_process.threads()) is LINUX
    finally:
        over.set()
        other.join()


def test_handlers_of_signals_are_told() -> None:
    assert signal.getsignal(signal.SIGURG) is signal.SIG_DFL
    assert system.handles(os.getpid(), signal.SIGURG) is not LINUX


ASKED: list[tuple[str, Callable[[int], object]]] = [
    ("what a process has loaded", system.mapped),
    ("since when it has slept", lambda pid: system.slept_s(system.threads([pid]))),
    ("which native calls it is in", lambda pid: system.inner(pid).calls(pid)),
]


@pytest.mark.parametrize("ask", [one[1] for one in ASKED], ids=[one[0] for one in ASKED])
def test_what_is_asked_of_a_sleeper_is_told(ask: Callable[[int], object]) -> None:
    with subprocess.Popen(["sleep", "60"]) as sleeper:
        try:
            assert until(lambda: [one.state for one in system.threads([sleeper.pid])] == ["S"])
            assert bool(ask(sleeper.pid)) is LINUX
        finally:
            sleeper.kill()
