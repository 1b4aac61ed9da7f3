"""Programs on a real scheduler and three workers of this machine."""

import contextlib
import json
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from click.testing import CliRunner
from running import MLXPROBE, own_environment
from watching import GUARD_S

from mlxprobe.catalogue.discovery import read, select
from mlxprobe.cli.common import main
from mlxprobe.cluster import cluster
from mlxprobe.cluster.executor import place
from mlxprobe.cluster.runners import Runners
from mlxprobe.runner.schedule import scenario_tasks, side_by_side
from mlxprobe.schema.enums import Outcome
from mlxprobe.schema.errors import ProbeError
from mlxprobe.schema.record import ProgramRecord
from mlxprobe.settings.table import resolve

distributed = pytest.importorskip("distributed", reason="Dask is not installed: pip install 'mlxprobe[dask]'")
pytestmark = pytest.mark.slow

HOSTS = ("one", "two", "three")
WAITING = '''"""One variant trains until it is told to end.

Symptom: none.
Cause: none.
Fix: none.
"""

import os
import re
from pathlib import Path

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim

from mlxprobe import Outcome, Scenario

probe = Scenario()


def train(going):
    mx.random.seed(0)
    model, optimizer = nn.Linear(4, 1), optim.SGD(0.1)
    x = mx.random.normal((32, 4))
    gradients = nn.value_and_grad(model, lambda m: ((m(x) - x.sum(1, keepdims=True)) ** 2).mean())
    step = 0
    while going(step):
        loss, grads = gradients(model)
        optimizer.update(model, grads)
        mx.eval(model.parameters(), optimizer.state, loss)
        step += 1


@probe.correct
def twenty_steps():
    """Take twenty steps."""
    train(lambda step: step < 20)


@probe.broken(expects=Outcome.PASS, comparable=False)
def until_told():
    """Take steps until a file is there."""
    here = Path(FOLDER)
    (here / f"pid-{os.getpid()}").touch()
    train(lambda step: not (here / "go").exists())


@probe.broken(expects=Outcome.ERROR, raises="ValueError")
def raises():
    """Raise."""
    raise ValueError
'''


class Workers:
    """A scheduler and three workers, each a process."""

    def __init__(self, folder: Path) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.on = f"dask://127.0.0.1:{self.port}"
        self.folder = folder
        self._processes: dict[str, subprocess.Popen[bytes]] = {}
        self._start("scheduler", "--host", "127.0.0.1", "--port", str(self.port))
        for host in HOSTS:
            self.start(host)

    def wait(self) -> None:
        """Wait until all workers are there, however busy the machine is."""
        with distributed.Client(f"tcp://127.0.0.1:{self.port}", timeout=GUARD_S, set_as_default=False) as client:
            client.wait_for_workers(len(HOSTS), timeout=GUARD_S)

    def start(self, host: str) -> None:
        words = ("--name", host, "--resources", "CPU=1", "--nthreads", "1", "--no-nanny")
        self._start("worker", f"tcp://127.0.0.1:{self.port}", *words, name=host)

    def _start(self, *words: str, name: str = "scheduler") -> None:
        with (self.folder / f"{name}.log").open("wb") as log:
            self._processes[name] = subprocess.Popen(
                [sys.executable, "-m", "dask", *words, "--no-dashboard"],
                cwd=self.folder, env=own_environment(), stdout=log, stderr=log,
            )  # fmt: skip

    def kill(self, host: str) -> None:
        self._processes[host].kill()
        self._processes[host].wait(GUARD_S)

    def end(self) -> None:
        for one in self._processes.values():
            one.kill()
            one.wait(GUARD_S)


@pytest.fixture(scope="module")
def workers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workers]:
    there = Workers(tmp_path_factory.mktemp("cluster"))
    try:
        there.wait()
        yield there
    finally:
        there.end()


@pytest.fixture
def waiting(tmp_path: Path) -> Path:
    folder = tmp_path / "mine"
    folder.mkdir()
    file = folder / "waiting.py"
    file.write_text(WAITING.replace("FOLDER", repr(str(tmp_path))))
    return file


class Heard:
    """Note who runs what."""

    def __init__(self) -> None:
        self.hosts: list[str] = []
        self.moving = threading.Event()

    def started(self, name: str) -> None: ...

    def moved(self, name: str, what: str) -> None:
        if name.endswith("/until_told") and re.search(r": step [1-9]", what):
            self.hosts.append(what.removeprefix("on ").partition(":")[0])
            self.moving.set()

    def ended(self, name: str, row: ProgramRecord) -> None: ...


def gone(pid: int) -> bool:
    with contextlib.suppress(psutil.NoSuchProcess):
        psutil.Process(pid).wait(GUARD_S)
    return not psutil.pid_exists(pid)


def pids(folder: Path) -> list[int]:
    return [int(one.name.removeprefix("pid-")) for one in folder.glob("pid-*")]


def test_verdicts_are_those_of_this_machine_and_rows_name_their_workers(workers: Workers, tmp_path: Path) -> None:
    names = ("saved-not-finite", "prefetch-thread")
    words = ["run", "--format", "json", "--reports", str(tmp_path)]
    words += [word for name in names for word in ("--scenario", name)]
    found = []
    for where in ([], ["--on", workers.on]):
        done = CliRunner().invoke(main, [*words, *where])
        assert done.exit_code == 0, done.output
        found.append(json.loads(done.stdout)["programs"])
    here, there = found
    told = [[(one["variant"], one["outcome"], [f["code"] for f in one["findings"]]) for one in rows] for rows in found]
    assert told[0] == told[1]
    assert {one.get("host") for one in here} == {None}
    by_scenario = [{one["host"] for one in there if one["scenario"] == name} for name in names]
    assert all(len(hosts) == 1 and hosts <= set(HOSTS) for hosts in by_scenario)


def started(workers: Workers, waiting: Path) -> subprocess.Popen[str]:
    """Run the scenario from a process of its own, until its second variant trains."""
    words = ("run", "--on", workers.on, "--scenarios", str(waiting.parent), "--scenario", "waiting", "--reports", ".")
    folder = waiting.parent.parent
    process = subprocess.Popen(
        [*MLXPROBE, *words], cwd=folder, env=own_environment(), text=True,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip
    until_s = time.monotonic() + GUARD_S
    while not pids(folder):
        assert process.poll() is None and time.monotonic() < until_s, process.communicate()
        time.sleep(0.05)
    return process


@pytest.mark.usefixtures("default_signals")
def test_ctrl_c_ends_what_runs_and_keeps_what_is_done(workers: Workers, waiting: Path, tmp_path: Path) -> None:
    process = started(workers, waiting)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=GUARD_S)
    assert process.returncode == 130, err
    record = json.loads((tmp_path / "latest-choice" / "record.json").read_text())
    assert not record["complete"]
    assert (record["programs"][0]["variant"], record["programs"][0]["outcome"]) == ("twenty_steps", "pass")
    assert all(map(gone, pids(tmp_path)))
    assert "waiting/twenty_steps: pass, on " in err


def test_a_client_that_is_killed_leaves_nothing_running(workers: Workers, waiting: Path, tmp_path: Path) -> None:
    process = started(workers, waiting)
    process.kill()
    process.communicate(timeout=GUARD_S)
    assert all(map(gone, pids(tmp_path)))


def test_a_cluster_without_the_device_is_told(workers: Workers) -> None:
    done = CliRunner().invoke(main, ["run", "--on", workers.on, "--device", "gpu"])
    assert done.exit_code == 2
    assert "no worker for these programs" in done.stderr and "one: CPU=1" in done.stderr


def test_a_worker_that_is_killed_loses_nothing(workers: Workers, waiting: Path, tmp_path: Path) -> None:
    heard = Heard()
    settings = resolve({"on": workers.on})
    with place(settings, heard) as where:
        runner = Runners(where, heard).current()

        def kill() -> None:
            assert heard.moving.wait(GUARD_S)
            workers.kill(heard.hosts[0])
            (tmp_path / "go").touch()

        killer = threading.Thread(target=kill)
        killer.start()
        (rows,) = side_by_side([runner], scenario_tasks(select([read(waiting)], [])), where)
        killer.join(GUARD_S)
    assert [one.outcome for one in rows.values()] == [Outcome.PASS, Outcome.PASS, Outcome.ERROR]
    lost = heard.hosts[0]
    assert {one.host for one in rows.values()} < set(HOSTS) - {lost}
    assert len(pids(tmp_path)) == 2 and all(map(gone, pids(tmp_path)))


def test_without_any_worker_it_waits_for_a_while_and_says_so(
    workers: Workers, waiting: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cluster, "NO_WORKER_S", 0.0)
    heard = Heard()
    with place(resolve({"on": workers.on}), heard) as where:
        runner = Runners(where, heard).current()

        def kill() -> None:
            assert heard.moving.wait(GUARD_S)
            for host in HOSTS:
                workers.kill(host)

        killer = threading.Thread(target=kill)
        killer.start()
        with pytest.raises(ProbeError, match="no worker offers CPU any more"):
            side_by_side([runner], scenario_tasks(select([read(waiting)], [])), where)
        killer.join(GUARD_S)
    assert all(map(gone, pids(tmp_path)))
