"""A user's run goes on to its end, whatever becomes of those who watch it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest
from running import own_environment
from watching import GUARD_S, until

pytestmark = [pytest.mark.slow, pytest.mark.timeout(GUARD_S), pytest.mark.usefixtures("default_signals")]

TRAINS = """
import os, pathlib, time
import mlx.core as mx, mlx.nn as nn, mlx.optimizers as optim
model, optimizer = nn.Linear(4, 1), optim.SGD(0.1)
x = mx.ones((8, 4))
gradients = nn.value_and_grad(model, lambda x: (model(x) ** 2).mean())
def train(steps):
    for _ in range(steps):
        loss, grads = gradients(x)
        optimizer.update(model, grads)
        mx.eval(model.parameters())
train(20)
pathlib.Path("pid").write_text(str(os.getpid()))
pathlib.Path("pid").rename("ready")
while not os.path.exists("go"):
    train(1)
    time.sleep(0.01)
train(200)
pathlib.Path("done").write_text("done")
raise SystemExit(7)
"""
FAILS = """
import sys
from mlxprobe.supervisor import watch
polled = watch.Watcher._poll
def poll(self, timeout_s):
    polled(self, timeout_s)
    if self.log.steps:
        raise ZeroDivisionError("the watcher's own")
watch.Watcher._poll = poll
sys.argv = ["mlxprobe", "watch", "train.py"]
from mlxprobe.cli import entry_point
entry_point()
"""


def watched(folder: Path, *words: str) -> subprocess.Popen[bytes]:
    (folder / "train.py").write_text(TRAINS)
    (folder / "tmp").mkdir()
    return subprocess.Popen(
        [sys.executable, *words],
        cwd=folder,
        env=own_environment(TMPDIR=str(folder / "tmp")),
        stderr=subprocess.PIPE,
        start_new_session=True,
    )


def trains(folder: Path) -> psutil.Process:
    assert until((folder / "ready").exists)
    return psutil.Process(int((folder / "ready").read_text()))


@pytest.mark.parametrize("who", ["the watcher", "the reaper", "both"])
def test_a_run_outlives_who_watches_it(who: str, tmp_path: Path) -> None:
    with watched(tmp_path, "-m", "mlxprobe", "watch", "train.py") as watcher:
        program = trains(tmp_path)
        reaper = program.parent()
        assert reaper is not None and reaper.pid != watcher.pid
        if who != "the reaper":
            watcher.send_signal(signal.SIGKILL)
        if who != "the watcher":
            reaper.send_signal(signal.SIGKILL)
        time.sleep(0.3)
        assert program.is_running() and program.status() != psutil.STATUS_ZOMBIE
        (tmp_path / "go").touch()
        assert until((tmp_path / "done").exists)
        watcher.communicate(timeout=GUARD_S)
    if who != "the reaper":
        assert until(lambda: not program.is_running() or program.status() == psutil.STATUS_ZOMBIE)


def test_a_run_outlives_an_error_of_the_watcher_and_keeps_its_exit_code(tmp_path: Path) -> None:
    (tmp_path / "fails.py").write_text(FAILS)
    with watched(tmp_path, "fails.py") as watcher:
        trains(tmp_path)
        (tmp_path / "go").touch()
        _, told = watcher.communicate(timeout=GUARD_S)
    assert (tmp_path / "done").exists()
    assert watcher.returncode == 7
    assert b"mlxprobe: failed at " in told and b"the watcher's own" in told and b"Traceback" not in told


def test_the_folder_of_a_run_that_outlives_its_watcher_is_removed_at_its_end(tmp_path: Path) -> None:
    with watched(tmp_path, "-m", "mlxprobe", "watch", "train.py") as watcher:
        trains(tmp_path)
        watcher.send_signal(signal.SIGKILL)
        (tmp_path / "go").touch()
        assert until((tmp_path / "done").exists)
        assert until(lambda: not os.listdir(tmp_path / "tmp"))
