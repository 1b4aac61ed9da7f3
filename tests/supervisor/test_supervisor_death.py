"""The supervisor's own end: killed, interrupted, or with nowhere to write to."""

from __future__ import annotations

import importlib.util
import json
import os
import resource
import signal
import socket
import subprocess
import sys
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
from watching import GUARD_S, MARK, commands, is_ready, marked, toy, until

from mlxprobe.schema.errors import ProbeError
from mlxprobe.schema.record_io import write
from mlxprobe.supervisor.reaper_client import REAPER
from mlxprobe.supervisor.spawn_request import order

pytestmark = pytest.mark.usefixtures("default_signals")

LOOKS = 100  # 2 s and more: at each of them some process was left, and none was about to do anything
OBSERVE = """
import sys
from mlxprobe.schema.observation import Limits, Program
from mlxprobe.supervisor.watch import observe

program = Program(name="toy", argv=("script", sys.argv[1]), python=sys.executable, env={sys.argv[2]: sys.argv[3]})
observe(program, Limits(stall_s=60, startup_s=600, timeout_s=600, memory_bytes=10**9))
"""
SCENARIO = '''"""Nothing to do."""
from mlxprobe import Scenario

probe = Scenario()


@probe.correct
def nothing():
    """Do nothing."""
'''
WAITS = '''"""Wait for ever."""
import threading

from mlxprobe import Outcome, Scenario

probe = Scenario()


@probe.correct
def comes_back():
    """Do nothing, or wait."""
    {}


@probe.broken(expects=Outcome.HANG)
def waits():
    """Wait."""
    threading.Event().wait()
'''
needs_mlx = pytest.mark.skipif(importlib.util.find_spec("mlx.core") is None, reason="MLX is not installed")


@pytest.fixture
def mark() -> Iterator[str]:
    """Mark what the test starts, and end what it leaves."""
    made = uuid.uuid4().hex
    try:
        yield made
    finally:
        for process in marked(made):
            process.kill()


@pytest.fixture
def folders(tmp_path: Path) -> Path:
    """Where the supervisor makes its temporary folders."""
    made = tmp_path / "folders"
    made.mkdir()
    return made


def gone_in_time(mark: str, folders: Path) -> bool:
    """Tell whether nothing is left soon; who waits for a processor to leave may take the time that takes."""
    idle = 0

    def decided() -> bool:
        nonlocal idle
        living = marked(mark)
        idle += not any(map(is_ready, living))
        return idle > LOOKS or not (living or list(folders.iterdir()))

    return until(decided) and idle <= LOOKS


@pytest.mark.slow
@pytest.mark.timeout(GUARD_S)
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT], ids=lambda number: number.name)
def test_a_supervisor_that_ends_takes_its_children_along(number: signal.Signals, mark: str, folders: Path) -> None:
    supervisor = subprocess.Popen(
        [sys.executable, "-c", OBSERVE, toy("waits_with_a_grandchild"), MARK, mark],
        env=os.environ | {"TMPDIR": str(folders)},
        stderr=subprocess.DEVNULL,
    )
    with supervisor:
        assert until(lambda: len(marked(mark)) == 3), commands(mark)  # reaper, program, grandchild
        supervisor.send_signal(number)
    assert gone_in_time(mark, folders), commands(mark)


@pytest.mark.slow
@pytest.mark.timeout(GUARD_S)
def test_a_reaper_whose_words_nobody_read_still_ends_its_program(mark: str, folders: Path) -> None:
    """A socket that closes with words unread is an error to the other side, not an end."""
    folder = folders / "mlxprobe-x"
    folder.mkdir()
    ours, theirs = socket.socketpair()
    unused, events = os.pipe()
    call = [*REAPER, str(theirs.fileno()), str(events)]
    has = [f"PATH={os.environ['PATH']}", f"{MARK}={mark}"]
    ours.sendall(order((str(folder), "own"), ("sleep", "1000"), has, [], []))
    environment = os.environ | {MARK: mark}
    with subprocess.Popen(call, pass_fds=(theirs.fileno(), events), env=environment, start_new_session=True):
        theirs.close()
        os.close(events)
        os.close(unused)
        assert until(lambda: ours.recv(1, socket.MSG_PEEK))
        ours.close()
    assert gone_in_time(mark, folders), commands(mark)


@pytest.mark.slow
@pytest.mark.timeout(GUARD_S)
def test_a_reaper_that_was_called_ahead_and_is_stopped_ends_with_the_command(
    mark: str, folders: Path, tmp_path: Path
) -> None:
    (tmp_path / "stops.py").write_text(
        "import os, signal, threading\nos.kill(os.getppid(), signal.SIGSTOP)\nthreading.Event().wait()\n"
    )
    subprocess.run(
        [sys.executable, "-m", "mlxprobe", "watch", "--timeout", "2s", str(tmp_path / "stops.py")],
        env=os.environ | {"TMPDIR": str(folders), MARK: mark},
        stderr=subprocess.DEVNULL,
        check=False,
    )
    assert gone_in_time(mark, folders), commands(mark)


@needs_mlx
@pytest.mark.slow
@pytest.mark.timeout(GUARD_S)
@pytest.mark.parametrize(
    ("number", "correct", "variant", "had"),
    [(signal.SIGTERM, "threading.Event().wait()", "comes_back", set()),
     (signal.SIGINT, "pass", "waits", {"comes_back"})],
    ids=["SIGTERM while the correct loop runs", "Ctrl-C while the broken loop runs"],
)  # fmt: skip
def test_an_interrupted_run_ends_its_children_and_keeps_what_there_is(
    number: signal.Signals, correct: str, variant: str, had: set[str], mark: str, tmp_path: Path, folders: Path
) -> None:
    """The program that is interrupted waits for it: however late it comes, there is something to end."""
    (tmp_path / "scenarios").mkdir()
    (tmp_path / "scenarios" / "waiting.py").write_text(WAITS.format(correct))
    order = [sys.executable, "-m", "mlxprobe", "run", "--scenarios", "scenarios", "--scenario", "waiting"]
    cli = subprocess.Popen(
        [*order, "--stall-limit", "60", "--reports", str(tmp_path / "reports")],
        cwd=tmp_path,
        env=os.environ | {"TMPDIR": str(folders), MARK: mark},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
        text=True,
    )
    with cli:

        def runs() -> bool:
            return any(command.endswith(f" {variant}") for command in commands(mark))

        assert until(lambda: runs() or cli.poll() is not None)
        if cli.poll() is None:
            os.killpg(cli.pid, number)  # as a terminal does
        _, told = cli.communicate(timeout=GUARD_S)
    assert cli.returncode == 128 + number, told
    assert gone_in_time(mark, folders), commands(mark)
    record = json.loads((tmp_path / "reports" / "latest-choice" / "record.json").read_text())
    assert record["complete"] is False
    assert had <= {row["variant"] for row in record["programs"] if row["outcome"] != "unjudged"}
    assert "Traceback" not in told


@needs_mlx
@pytest.mark.slow
@pytest.mark.timeout(GUARD_S)
@pytest.mark.parametrize(
    ("flag", "name"),
    [("--output", "file/report.txt"), ("--output", "file/deeper/report.txt"), ("--reports", "file")],
    ids=["a report below a file", "a report far below a file", "a folder for records that is a file"],
)
def test_what_cannot_be_written_is_one_sentence_and_exit_2(flag: str, name: str, tmp_path: Path, folders: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    (tmp_path / "scenarios").mkdir()
    (tmp_path / "scenarios" / "idle.py").write_text(SCENARIO)
    order = [sys.executable, "-m", "mlxprobe", "run", "--scenarios", "scenarios", "--scenario", "idle"]
    done = subprocess.run(
        [*order, flag, name],
        cwd=tmp_path,
        env=os.environ | {"TMPDIR": str(folders)},
        capture_output=True,
        text=True,
        timeout=GUARD_S,
        check=False,
    )
    assert done.returncode == 2, done.stderr
    told = [line for line in done.stderr.splitlines() if line.startswith("mlxprobe: ")]
    assert len(told) == 1
    assert name.partition("/")[0] in told[0]
    assert "cannot be written" in told[0]
    assert "Traceback" not in done.stderr
    assert (tmp_path / "file").read_text() == "in the way"
    assert not list(tmp_path.rglob("*report*.txt")) and not list(folders.iterdir())


def test_a_full_disk_leaves_the_old_file_and_no_half_of_the_new(tmp_path: Path) -> None:
    """A limit on the size of files stands for the full disk: the write fails in the middle all the same."""
    file = tmp_path / "record.json"
    file.write_text("old")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    ignored = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, hard))
    try:
        with pytest.raises(ProbeError, match=r"record\.json: cannot be written: "):
            write(file, b"x" * 5000)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        signal.signal(signal.SIGXFSZ, ignored)
    assert [entry.name for entry in tmp_path.iterdir()] == ["record.json"]
    assert file.read_text() == "old"
