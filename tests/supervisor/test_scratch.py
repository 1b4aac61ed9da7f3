"""Temporary folders: kept while a process uses them, removed once all that did are gone, however they ended."""

import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import psutil
import pytest
from watching import GUARD_S

from mlxprobe.supervisor import scratch
from mlxprobe.supervisor.scratch import Scratch, sweep

OWNER = """
from mlxprobe.supervisor.scratch import Scratch

with Scratch() as folder:
    print(folder, flush=True)
    input()
"""


@pytest.fixture
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setenv("TMPDIR", str(folder))
    monkeypatch.setattr(tempfile, "tempdir", None)
    return folder


def test_a_folder_is_there_while_it_is_open_and_gone_afterwards(temporary: Path) -> None:
    with Scratch() as folder:
        (folder / "file").write_text("")
        sweep()
        assert (folder / "file").exists()
    assert [*temporary.iterdir()] == []


@pytest.mark.slow
def test_a_folder_goes_with_its_owner_and_no_sooner(temporary: Path) -> None:
    owner = subprocess.Popen([sys.executable, "-c", OWNER], stdout=subprocess.PIPE, stdin=subprocess.PIPE, text=True)
    assert owner.stdout is not None
    folder = Path(owner.stdout.readline().strip())
    (folder / "locked").mkdir()
    (folder / "locked" / "file").write_text("")
    (folder / "locked").chmod(0)
    sweep()
    assert folder.is_dir()
    owner.kill()
    owner.communicate()
    assert folder.is_dir()
    sweep()
    assert not folder.exists()


FOREIGN = ["mlxprobe-abcd1234", "mlxprobe-fuzz-abcd1234", "mlxprobe-999999-00000000-abcd1234", "other"]


def test_what_others_made_is_left_alone(temporary: Path) -> None:
    for name in FOREIGN:
        (temporary / name).mkdir()
    (temporary / f"{scratch.prefix()}file").write_text("")
    (temporary / f"{scratch.prefix()}link").symlink_to(temporary / "other")
    sweep()
    assert {one.name for one in temporary.iterdir()} == {*FOREIGN, f"{scratch.prefix()}file", f"{scratch.prefix()}link"}


def test_a_folder_that_is_swept_before_it_is_locked_is_made_again(
    temporary: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened, calls = scratch._opened, list[str]()

    def late(folder: str) -> int | None:
        calls.append(folder)
        found = opened(folder)
        if len(calls) == 1:
            os.rmdir(folder)
        return found

    monkeypatch.setattr(scratch, "_opened", late)
    with Scratch() as folder:
        assert folder.is_dir()
        assert str(folder) == calls[1]


PROGRAM = "import sys, time, mlx.core as mx\nmx.eval(mx.ones(3) + 1)\nopen(sys.argv[1], 'w').close()\ntime.sleep(60)\n"
SCENARIO = '''"""A title.

Symptom: s. Cause: c. Fix: f.
"""
import time

import mlx.core as mx

from mlxprobe import Scenario

probe = Scenario()


@probe.correct
def right():
    """Wait."""
    mx.eval(mx.ones(3) + 1)
    open({mark!r}, "w").close()
    time.sleep(60)
'''


def orders(folder: Path) -> dict[str, list[str]]:
    (folder / "train.py").write_text(PROGRAM)
    (folder / "scenarios").mkdir()
    (folder / "scenarios" / "waits.py").write_text(SCENARIO.format(mark=str(folder / "mark")))
    return {
        "watch": ["watch", "--", sys.executable, "train.py", "mark"],
        "run": ["run", "--scenarios", "scenarios", "--scenario", "waits", "--stall-limit", "60s"],
        "fuzz": ["fuzz", "--programs", "200"],
    }


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGHUP, signal.SIGTERM, signal.SIGKILL])
@pytest.mark.parametrize("command", ["watch", "run", "fuzz"])
def test_nothing_of_a_command_that_a_signal_ended_stays(
    command: str, number: signal.Signals, temporary: Path, tmp_path: Path, default_signals: None
) -> None:
    words = [sys.executable, "-m", "mlxprobe"]
    begun = subprocess.Popen(
        [*words, *orders(tmp_path)[command]], cwd=tmp_path, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    until_s = time.monotonic() + GUARD_S
    while time.monotonic() < until_s and not (
        (tmp_path / "mark").exists() or (command == "fuzz" and [*temporary.glob("*/told.jsonl")])
    ):
        time.sleep(0.05)
    assert [*temporary.iterdir()]
    below = psutil.Process(begun.pid).children(recursive=True)
    begun.send_signal(number)
    begun.wait(GUARD_S)
    if command == "watch" and number is signal.SIGKILL:  # the program outlives its watcher, and needs the folder
        for one in below:
            if one.is_running() and "train.py" in " ".join(one.cmdline()):
                one.kill()
    if number is not signal.SIGKILL:
        assert [*temporary.iterdir()] == []
    time.sleep(1 if number is signal.SIGKILL else 0)  # until the reapers have ended the programs
    subprocess.run([*words, "list"], cwd=tmp_path, capture_output=True, timeout=GUARD_S, check=True)
    assert [*temporary.iterdir()] == []
