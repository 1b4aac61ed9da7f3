"""Process trees: who is below whom, what they use, and what is about to be too much."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator

import psutil
import pytest
from watching import until

from mlxprobe.supervisor import sample, warden
from mlxprobe.supervisor.sample import TreeSampler
from mlxprobe.values.observation import Sample


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


@pytest.fixture
def tree() -> Iterator[tuple[int, int]]:
    """A process and its child, both asleep."""
    with subprocess.Popen(["sh", "-c", "sleep 60 & wait"], start_new_session=True) as top:
        process = psutil.Process(top.pid)
        assert until(process.children)
        (child,) = process.children()
        yield top.pid, child.pid
        child.kill()
        top.kill()


def test_the_tree_has_children_and_their_children(tree: tuple[int, int]) -> None:
    assert set(tree) <= set(sample.descendants(os.getpid()))
    assert sample.descendants(tree[0]) == [tree[1]]


def test_the_tree_is_found_without_linuxs_lists_of_children(
    tree: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    def missing(pid: int) -> list[int]:
        raise FileNotFoundError

    monkeypatch.setattr(sample, "_children", missing)
    assert set(tree) <= set(sample.descendants(os.getpid()))


def test_who_has_ended_has_no_tree() -> None:
    with subprocess.Popen(["sleep", "0"]) as ended:
        ended.wait()
    assert sample.descendants(ended.pid) == []


@pytest.mark.parametrize("linux", [sys.platform == "linux", False], ids=["as on this system", "with ps, as on macOS"])
def test_the_warden_sees_the_same_tree(linux: bool, tree: tuple[int, int], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(warden, "LINUX", linux)
    assert set(tree) <= set(warden.descendants(tree[0]))
    assert os.getpid() not in warden.descendants(tree[0])


def test_the_group_is_ours_whoever_adopted_it(tree: tuple[int, int]) -> None:
    parents = warden.parents_by_ps(tree[0])
    assert parents[tree[0]] == parents[tree[1]] == os.getpid()
    assert parents[os.getpid()] == os.getppid()


def test_a_sample_sums_the_tree(tree: tuple[int, int]) -> None:
    made = TreeSampler(os.getpid(), 0.0)
    assert set(tree) <= made.scan()
    assert made.sample().rss_bytes > psutil.Process(tree[0]).memory_info().rss
