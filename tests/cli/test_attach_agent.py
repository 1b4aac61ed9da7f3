"""`mlxprobe attach --agent`: the agent goes into a process that runs, and leaves it again.

Python before 3.14 cannot ask a process to run a file. There the process does so at a signal; the rest is as it is.
"""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from click.testing import CliRunner
from running import UNTRAINED, own_environment
from watching import GUARD_S

from mlxprobe.cli import main

RUNS = (
    """
import os, signal, sys
signal.signal(signal.SIGUSR1, lambda *_: exec(open(open("asked").read()).read(), {}))
"""
    + UNTRAINED
    + """
own = mx.eval, optimizer.update, gradients
print("ready", flush=True)
while "mlxprobe.agent.lifecycle.attached_agent" not in sys.modules: train(1)
"""
)
LAZY = "for _ in range(40): optimizer.update(model, gradients(model)[1])\n"
STAYS = """
train(30)
print("came", flush=True)
while not os.path.exists("go"): train(1)
print(own[0] is mx.eval, "mlxprobe" not in repr(mx.eval), flush=True)
"""
STUCK = """
import os, signal, sys, threading, time
signal.signal(signal.SIGUSR1, lambda *_: exec(open(open("asked").read()).read(), {}))
signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGUSR1])
print("ready", flush=True)
sys.stderr = sys.stdout
def frees():
    while not os.path.exists("go"): time.sleep(0.1)
    lock.release()
lock = threading.Lock()
lock.acquire()
threading.Thread(target=frees).start()
lock.acquire()
signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGUSR1])
print("went on", flush=True)
"""
ASKS = """
import os, signal, sys
def ask(pid, file):
    open("asked", "w").write(file)
    os.kill(pid, signal.SIGUSR1)
if not hasattr(sys, "remote_exec"): sys.remote_exec = ask
sys.argv = ["mlxprobe", "attach", *sys.argv[1:]]
from mlxprobe.cli import entry_point
entry_point()
"""


@contextmanager
def started(folder: Path, text: str) -> Iterator[subprocess.Popen[str]]:
    """Run a program until it has said that it is ready."""
    (folder / "train.py").write_text(RUNS + text)
    with running(folder) as made:
        yield made


@contextmanager
def running(folder: Path) -> Iterator[subprocess.Popen[str]]:
    order = [sys.executable, "train.py"]
    with subprocess.Popen(order, cwd=folder, env=own_environment(), stdout=subprocess.PIPE, text=True) as made:
        try:
            assert made.stdout is not None and made.stdout.readline() == "ready\n"
            yield made
        finally:
            made.kill()


def asking(folder: Path, program: subprocess.Popen[str], *words: str) -> subprocess.Popen[str]:
    order = [sys.executable, "-c", ASKS, str(program.pid), "--agent", *words]
    return subprocess.Popen(order, cwd=folder, env=own_environment(), stderr=subprocess.PIPE, text=True)


@pytest.mark.slow
def test_a_process_that_runs_already_is_watched_to_its_end(tmp_path: Path) -> None:
    with started(tmp_path, LAZY) as program:
        asked = asking(tmp_path, program, "--format", "json", "--output", "report.json")
        err = asked.communicate(timeout=GUARD_S)[1]
        assert program.communicate(timeout=GUARD_S)[0] == "" and program.returncode == 0
    (row,) = json.loads((tmp_path / "report.json").read_text())["programs"]
    assert [one["code"] for one in row["findings"]] == ["MP101"]
    assert asked.returncode == 1 and "MP101 error unevaluated-update" in err and "train.py:" in err


@pytest.mark.slow
@pytest.mark.usefixtures("default_signals")
def test_ctrl_c_leaves_the_process_as_it_was(tmp_path: Path) -> None:
    with started(tmp_path, STAYS) as program:
        asked = asking(tmp_path, program)
        assert program.stdout is not None and program.stdout.readline() == "came\n"
        asked.send_signal(signal.SIGINT)
        err = asked.communicate(timeout=GUARD_S)[1]
        healthy = "healthy: " in err or "no error or warning: " in err  # it may have learned all before we came
        assert asked.returncode == 0 and healthy and " steps, " in err, err
        (tmp_path / "go").touch()
        assert program.communicate(timeout=GUARD_S)[0] == "True True\n" and program.returncode == 0


@pytest.mark.slow
@pytest.mark.usefixtures("default_signals")
def test_a_process_whose_main_thread_leaves_no_call_is_told_of_and_let_be(tmp_path: Path) -> None:
    (tmp_path / "train.py").write_text(STUCK)
    with running(tmp_path) as program:
        asked = asking(tmp_path, program)
        assert asked.stderr is not None and "the agent has not come so far" in asked.stderr.readline()
        asked.send_signal(signal.SIGINT)
        err = asked.communicate(timeout=GUARD_S)[1]
        assert asked.returncode == 2 and f"did not come to process {program.pid}" in err and program.poll() is None
        (tmp_path / "go").touch()
        assert program.communicate(timeout=GUARD_S)[0] == "went on\n" and program.returncode == 0


@pytest.mark.skipif(hasattr(sys, "remote_exec"), reason="this Python can")
def test_where_python_cannot_one_sentence_says_what_it_takes() -> None:
    result = CliRunner().invoke(main, ["attach", "1", "--agent"])
    assert result.exit_code == 2
    assert "--agent takes Python 3.14 or later" in result.stderr and len(result.stderr.splitlines()) == 1
