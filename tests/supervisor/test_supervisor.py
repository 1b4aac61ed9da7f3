"""The supervisor against hostile children: the outcome, the evidence, the time it takes, and nothing left behind."""

from __future__ import annotations

import contextlib
import os
import resource
import signal
import subprocess
import sys
import tempfile
import threading
import time
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psutil
import pytest
from watching import GUARD_S, MARK, commands, marked, starved_s, toy, until

from mlxprobe.diagnosis import diagnose
from mlxprobe.schema.enums import Outcome
from mlxprobe.schema.errors import ProbeError, UsageError
from mlxprobe.schema.observation import Observation, Program
from mlxprobe.schema.record import Expectation, Verdict
from mlxprobe.selftest import misbehaving
from mlxprobe.selftest.misbehaving import CRASH, DEADLOCK, HANG, LIMITS, PASS, STALL_S, TRIALS, UNJUDGED, UNKNOWN
from mlxprobe.supervisor.child import Child
from mlxprobe.supervisor.event_log import EventLog
from mlxprobe.supervisor.stacks import Stacks
from mlxprobe.supervisor.watch import Watcher, observe
from mlxprobe.verdict.judge import judge

LATE_S = 0.5


@pytest.fixture
def mark(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """Mark what the test starts, keep its temporary folders in a place of their own, and see both gone at its end."""
    folders = tmp_path / "folders"
    folders.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(folders))
    made = uuid.uuid4().hex
    try:
        yield made
        assert commands(made) == []
        assert list(folders.iterdir()) == []
    finally:
        for process in marked(made):
            process.kill()


STARVED = str(Path(__file__).parent / "starved.py")


def program(name: str, mark: str, file: str = "") -> Program:
    return Program(name=name, argv=("script", file or toy(name)), python=sys.executable, env={MARK: mark})


def verdict(seen: Observation, outcome: Outcome) -> Verdict:
    return judge(seen, diagnose(seen), Expectation(expects=outcome))


@pytest.mark.slow
@pytest.mark.timeout(GUARD_S)
@pytest.mark.parametrize("child", TRIALS, ids=[child.sentence for child in TRIALS])
def test_hostile_child(child: misbehaving.Trial, mark: str) -> None:
    us, began_s, trees_s = [os.getpid()], time.monotonic(), [0.0]
    before_s = starved_s(us)
    seen = observe(program(child.name, mark), LIMITS, progress=lambda one: trees_s.append(starved_s(one.tree.pids)))
    took_s, allowance_s = time.monotonic() - began_s, starved_s(us) - before_s + max(trees_s)
    found = misbehaving.verdict(child, seen)
    assert (found.outcome, found.kind, found.as_expected) == (child.outcome, child.kind, True), found.reason
    assert list(misbehaving.lacks(child, seen, found)) == []
    assert took_s < child.ends_within_s + allowance_s
    if child.outcome is HANG:
        limit_s = 2 * STALL_S if child.kind is UNKNOWN else STALL_S
        assert seen.detection_s is not None and seen.silence is not None
        assert seen.silence.silent_s < limit_s + LATE_S + allowance_s
        took_s = seen.detection_s - max(seen.begun_s, seen.finished_s)
        assert took_s < limit_s + LATE_S + child.held_s + allowance_s


def feed(pid: int) -> None:
    """Give the threads of a starved process what everybody has."""
    with contextlib.suppress(OSError):
        Path(f"/proc/{pid}/autogroup").write_text("0")
    for thread in map(int, os.listdir(f"/proc/{pid}/task")):
        os.sched_setscheduler(thread, os.SCHED_OTHER, os.sched_param(0))
        os.sched_setaffinity(thread, os.sched_getaffinity(0))


BUSY = "import os\nos.sched_setaffinity(0, {min(os.sched_getaffinity(0))})\nwhile True: pass"


def starved_for_a_while(mark: str, silent_s: float) -> Observation:
    """Watch a program whose worker waits for a core that two others keep busy; they end after so much silence."""
    with contextlib.ExitStack() as ends:
        busy = [ends.enter_context(subprocess.Popen([sys.executable, "-c", BUSY])) for _ in range(2)]
        for one in busy:
            ends.callback(one.kill)
        assert until(lambda: all(sum(psutil.Process(one.pid).cpu_times()[:2]) > 0.1 for one in busy))

        def let_go(watcher: Watcher) -> None:
            if watcher.silent_s > silent_s and any(one.poll() is None for one in busy):
                for one in busy:
                    one.kill()
                feed(watcher.child.pid)

        return observe(program("starved", mark, STARVED), LIMITS, progress=let_go)


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="SCHED_IDLE")
def test_a_worker_that_gets_no_processor_is_no_deadlock(mark: str) -> None:
    """CPU times and main threads cannot tell: a thread's wait enters them only once it has been given a processor."""
    for _ in range(5):  # a kernel may give the worker a core all the same: then nothing was tried
        seen = starved_for_a_while(mark, 3 * STALL_S)
        assert verdict(seen, PASS).as_expected, verdict(seen, PASS).reason
        if seen.longest_silence_s > 3 * STALL_S:
            return
    pytest.fail("the worker was never starved")


@pytest.mark.slow
def test_a_program_that_somebody_stopped_for_a_while_is_not_stuck(mark: str) -> None:
    stopped: list[float] = []

    def pause(watcher: Watcher) -> None:
        if watcher.log.running and not stopped:
            os.kill(watcher.child.pid, signal.SIGSTOP)
            stopped.append(time.monotonic())
        elif len(stopped) == 1 and time.monotonic() - stopped[0] > 3 * STALL_S:
            os.kill(watcher.child.pid, signal.SIGCONT)
            stopped.append(time.monotonic())

    seen = observe(program("succeeds_slowly", mark), LIMITS, progress=pause)
    assert len(stopped) == 2
    assert verdict(seen, PASS).as_expected, verdict(seen, PASS).reason


@pytest.mark.slow
def test_stacks_of_running_code_come_from_the_agents_thread(mark: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A signal in the middle of running Python code ends one process in fifty."""
    signalled: list[int] = []
    monkeypatch.setattr("mlxprobe.supervisor.stacks.signal_to", signalled.append)
    with (
        tempfile.TemporaryDirectory() as name,
        Stacks(Path(name)) as stacks,
        Child(program("computes_in_threads", mark), Path(name)) as child,
    ):
        log = EventLog(child.started_s)

        def begun() -> bool:
            child.pump(0.02)
            log.feed(child.take_events())
            return log.begun

        assert until(begun)
        answers = [stacks.take({child.pid: []}) for _ in range(20)]
    assert sum(map(bool, answers)) >= 10
    assert len(signalled) <= 10


@pytest.mark.slow
def test_what_eats_memory_is_killed_at_once(mark: str) -> None:
    seen = observe(program("eats_memory", mark), LIMITS)
    assert seen.exit_code == -signal.SIGKILL


@pytest.mark.slow
def test_killed_from_outside_is_a_crash(mark: str) -> None:
    killed: list[int] = []

    def kill(watcher: Watcher) -> None:
        if watcher.log.begun and not killed:
            killed.append(watcher.log.pids[0])
            os.kill(watcher.log.pids[0], signal.SIGKILL)

    seen = observe(program("waits", mark), LIMITS, progress=kill)
    assert verdict(seen, CRASH).as_expected
    assert "SIGKILL" in verdict(seen, CRASH).reason


@pytest.mark.slow
def test_what_is_stopped_has_no_verdict(mark: str) -> None:
    stop = threading.Event()

    def set_stop(watcher: Watcher) -> None:
        if watcher.log.begun:
            stop.set()

    seen = observe(program("waits_with_a_grandchild", mark), LIMITS, stop=stop, progress=set_stop)
    assert seen.ended == "interrupted"
    assert verdict(seen, UNJUDGED).as_expected


@pytest.mark.slow
def test_an_error_in_who_listens_leaves_nothing_behind(mark: str) -> None:
    def fail(watcher: Watcher) -> None:
        if len(watcher.log.pids) > 1:
            raise RuntimeError

    with pytest.raises(RuntimeError):
        observe(program("waits_with_a_grandchild", mark), LIMITS, progress=fail)


@pytest.mark.slow
def test_two_threads_watch_a_program_each(mark: str) -> None:
    names = {
        "waits_with_a_grandchild": HANG,
        "succeeds_slowly": PASS,
        "floods_stdout": HANG,
        "leaves_a_grandchild": PASS,
    }
    with ThreadPoolExecutor(2) as pool:
        found = dict(zip(names, pool.map(lambda name: observe(program(name, mark), LIMITS), names), strict=True))
    assert {name: verdict(seen, PASS).outcome for name, seen in found.items()} == names


@pytest.mark.slow
@pytest.mark.parametrize(("name", "most"), [("succeeds_slowly", 0.10), ("floods_stdout", 0.25), ("floods_events", 0.5)])
def test_watching_costs_little(name: str, most: float, mark: str) -> None:
    began_s, used_s = time.monotonic(), time.process_time()
    observe(program(name, mark), LIMITS)
    assert time.process_time() - used_s < most * (time.monotonic() - began_s)


@pytest.mark.slow
def test_a_supervisor_with_a_thousand_open_files_still_ends_its_child(mark: str) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard < 2048:
        pytest.skip("no more than a thousand files can be open here")
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, 2048), hard))
    open_files = [os.open(os.devnull, os.O_RDONLY) for _ in range(1100)]
    try:
        seen = observe(program("waits", mark), LIMITS)
    finally:
        for fd in open_files:
            os.close(fd)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert verdict(seen, HANG).as_expected


def test_a_folder_that_is_not_there_is_told(mark: str) -> None:
    asked = Program(name="toy", argv=("script", "x.py"), python=sys.executable, cwd="/nowhere")
    with pytest.raises(ProbeError, match="cannot start toy in /nowhere"):
        observe(asked, LIMITS)


@pytest.mark.slow
def test_an_interpreter_that_is_not_there_is_told(mark: str) -> None:
    asked = Program(name="toy", argv=("script", "x.py"), python="/nowhere/python", env={MARK: mark})
    with pytest.raises(UsageError, match="cannot start /nowhere/python: No such file or directory"):
        observe(asked, LIMITS)


def test_a_temporary_folder_that_cannot_be_made_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", "/nowhere")
    with pytest.raises(ProbeError, match=r"no temporary folder can be made: .*/nowhere"):
        observe(Program(name="toy", argv=("script", "x.py"), python=sys.executable), LIMITS)


@pytest.mark.slow
def test_a_deadlock_that_nobody_ends_is_proved_again(mark: str) -> None:
    def twice(watcher: Watcher) -> bool:
        silence = watcher.hang_detector.silence
        return silence is not None and silence.silent_s > 2 * STALL_S

    seen = observe(program("waits", mark), LIMITS, progress=twice, ends_silence=False)
    assert seen.silence is not None
    assert seen.silence.kind is DEADLOCK
