"""Memory that runs out, and processes with MLX that nobody watches: when they are told."""

from __future__ import annotations

import os
import subprocess
import sys
from types import SimpleNamespace
from typing import Any

import pytest

from mlxprobe.protocol.fact import Fact
from mlxprobe.protocol.facts.processes import AnotherProcess
from mlxprobe.runner.machine_events import MachineEvents, has_mlx
from mlxprobe.schema.observation import MlxSample, Sample, Sighting
from mlxprobe.system import LINUX
from mlxprobe.system.system import system

GB = 10**9


def watcher(
    rss_gb: float = 1.0, active_gb: float = 0.0, device_gb: float = 0.0, pids: frozenset[int] = frozenset()
) -> Any:
    memory = [MlxSample(t_s=1, active_bytes=int(active_gb * GB), cache_bytes=0, peak_bytes=0)]
    sightings: list[Sighting[Fact]] = []
    log = SimpleNamespace(step=3, device_bytes=int(device_gb * GB), memory=memory, sightings=sightings)
    tree = SimpleNamespace(pids=set(pids), samples=[Sample(t_s=1, rss_bytes=int(rss_gb * GB), cpu_s=0)])
    return SimpleNamespace(
        log=log, tree=tree, child=SimpleNamespace(pid=1, started_s=0.0), processes=SimpleNamespace(pids=set())
    )


SHORT = [
    ("much is left", watcher(20), 5, 0),
    ("little is left, and the program is why", watcher(20), 1, 1),
    ("little is left, and others are why", watcher(8), 1, 0),
    ("the GPU is full", watcher(2, active_gb=79, device_gb=80), 20, 1),
    ("the GPU is not full", watcher(2, active_gb=70, device_gb=80), 20, 0),
    ("a CPU tells no memory of its own", watcher(2, active_gb=79), 20, 0),
]


@pytest.mark.parametrize(("one", "left", "told"), [row[1:] for row in SHORT], ids=[row[0] for row in SHORT])
def test_memory_is_told_where(one: Any, left: int, told: int) -> None:
    around = MachineEvents(lambda: left * GB, lambda: 24 * GB)
    found = list(around.look(one))
    assert len(found) == told and one.log.sightings == found
    around._looked_s = 0.0
    assert list(around.look(one)) == [], "once is enough"


def test_what_this_machine_has_is_known() -> None:
    assert 0 < system.available_bytes() <= system.memory_bytes()


@pytest.mark.slow
@pytest.mark.skipif(not LINUX, reason="only Linux tells")
def test_a_process_with_mlx_is_known_from_outside() -> None:
    wait = "; print(flush=True); input()"
    for code, has in (("import mlx.core", True), ("import json", False)):
        order = [sys.executable, "-c", code + wait]
        with subprocess.Popen(order, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
            assert process.stdout is not None and process.stdout.readline()
            assert has_mlx(process.pid) is has
            one = watcher(pids=frozenset({process.pid}))
            assert list(MachineEvents(lambda: GB, lambda: GB).look(one)) == []
            assert [it.fact for it in one.log.sightings] == [AnotherProcess(pid=process.pid)] * has
            process.kill()


@pytest.mark.skipif(not LINUX, reason="only Linux tells")
def test_a_fork_that_has_not_spoken_yet_has_its_parents_agent() -> None:
    """A busy machine lets it wait; it is seen from outside before it can say a word."""
    held, let_go = os.pipe()
    if not (fork := os.fork()):
        os.close(let_go)
        os.read(held, 1)
        os._exit(0)
    try:
        assert system.is_fork(fork, {os.getpid()}) and not system.is_fork(fork, set())
        assert not system.is_fork(os.getpid(), {os.getppid()}), "a program of its own"
        one = watcher(pids=frozenset({fork}))
        one.child.pid = os.getpid()
        assert list(MachineEvents(lambda: GB, lambda: GB).look(one)) == []
        assert one.log.sightings == []
    finally:
        os.close(let_go)
        os.waitpid(fork, 0)
