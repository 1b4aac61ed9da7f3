"""`mlxprobe attach --agent`: the agent goes into a process that runs, and leaves it again.

Python before 3.14 cannot ask a process to run a file. Here the process does so at a signal; the rest is as it is.
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
while "mlxprobe.agent.guest" not in sys.modules: train(1)
"""
)
LAZY = "for _ in range(40): optimizer.update(model, gradients(model)[1])\n"
STAYS = """
train(30)
print("came", flush=True)
while not os.path.exists("go"): train(1)
print(own[0] is mx.eval, "mlxprobe" not in repr(mx.eval), flush=True)
"""
ASKS = """
import os, signal, sys
def ask(pid, file):
    open("asked", "w").write(file)
    os.kill(pid, signal.SIGUSR1)
sys.remote_exec = ask
sys.argv = ["mlxprobe", "attach", *sys.argv[1:]]
from mlxprobe.cli import entry_point
entry_point()
"""


@contextmanager
def started(folder: Path, text: str) -> Iterator[subprocess.Popen[str]]:
    """Run a program until it has said that it is ready."""
    (folder / "train.py").write_text(RUNS + text)
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
    assert [one["code"] for one in row["findings"] if one.get("checked", True)] == ["MP101"]
    assert asked.returncode == 1 and "MP101 error unevaluated-update" in err and "train.py:" in err


@pytest.mark.slow
@pytest.mark.usefixtures("default_signals")
def test_ctrl_c_leaves_the_process_as_it_was(tmp_path: Path) -> None:
    with started(tmp_path, STAYS) as program:
        asked = asking(tmp_path, program)
        assert program.stdout is not None and program.stdout.readline() == "came\n"
        asked.send_signal(signal.SIGINT)
        err = asked.communicate(timeout=GUARD_S)[1]
        assert asked.returncode == 0 and "healthy: " in err and " steps, " in err, err
        (tmp_path / "go").touch()
        assert program.communicate(timeout=GUARD_S)[0] == "True True\n" and program.returncode == 0


@pytest.mark.skipif(hasattr(sys, "remote_exec"), reason="this Python can")
def test_where_python_cannot_one_sentence_says_what_it_takes() -> None:
    result = CliRunner().invoke(main, ["attach", "1", "--agent"])
    assert result.exit_code == 2
    assert "--agent takes Python 3.14 or later" in result.stderr and len(result.stderr.splitlines()) == 1
