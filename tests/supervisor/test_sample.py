"""Process trees: who is below whom, what they use, and what is about to be too much."""

from __future__ import annotations

import os
import subprocess

import psutil
import pytest
from watching import until

from mlxprobe.schema.observation import Sample
from mlxprobe.supervisor.sample import TreeSampler


def sampler(*samples: tuple[float, int, float]) -> TreeSampler:
    made = TreeSampler(os.getpid(), 0.0)
    made.samples = [Sample(t_s=t_s, rss_bytes=rss, cpu_s=cpu_s) for t_s, rss, cpu_s in samples]
    return made


NEAR = [
    ("one sample tells no rate", [(0.0, 900, 0.0)], False),
    ("memory that stands below the limit is not near it", [(0.0, 900, 0.0), (0.05, 900, 0.0)], False),
    ("slow growth far below is not", [(0.0, 100, 0.0), (0.05, 110, 0.0)], False),
    ("growth that will be over it is", [(0.0, 100, 0.0), (0.05, 600, 0.0)], True),
    ("memory that shrinks is not", [(0.0, 990, 0.0), (0.05, 500, 0.0)], False),
    ("two samples of one moment divide by nothing", [(0.0, 100, 0.0), (0.0, 100, 0.0)], False),
]


@pytest.mark.parametrize(("samples", "near"), [case[1:] for case in NEAR], ids=[case[0] for case in NEAR])
def test_nearness_of_the_memory_limit(samples: list[tuple[float, int, float]], near: bool) -> None:
    assert sampler(*samples).nears(1000) is near


CPU = [
    ("no sample tells of no time", [], 0.0, 0.0),
    ("time is counted from the last sample before", [(0.0, 0, 1.0), (1.0, 0, 2.0), (2.0, 0, 5.0)], 1.5, 3.0),
    ("before the first sample all is counted from it", [(1.0, 0, 1.0), (2.0, 0, 5.0)], 0.5, 4.0),
]


@pytest.mark.parametrize(("samples", "since_s", "wanted_s"), [case[1:] for case in CPU], ids=[case[0] for case in CPU])
def test_cpu_time_since(samples: list[tuple[float, int, float]], since_s: float, wanted_s: float) -> None:
    assert sampler(*samples).cpu_since(since_s) == wanted_s


def test_a_sample_sums_the_tree() -> None:
    with subprocess.Popen(["sh", "-c", "sleep 60 & wait"], start_new_session=True) as top:
        process = psutil.Process(top.pid)
        assert until(process.children)
        (child,) = process.children()
        made = TreeSampler(os.getpid(), 0.0)
        assert {top.pid, child.pid} <= made.scan()
        assert made.sample().rss_bytes > process.memory_info().rss
        child.kill()
        top.kill()
