"""Process trees: who is below whom, on the system that we are on and as any other tells it."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator

import psutil
import pytest
from watching import until

from mlxprobe.supervisor import reaper
from mlxprobe.system import LINUX, kin
from mlxprobe.system.kin import PortableProcessTree
from mlxprobe.system.linux import processes
from mlxprobe.system.system import system


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
    assert set(tree) <= set(system.descendants(os.getpid()))
    assert system.descendants(tree[0]) == [tree[1]]


@pytest.mark.skipif(not LINUX, reason="Linux's own way")
def test_the_tree_is_found_without_linuxs_lists_of_children(
    tree: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    def missing(pid: int) -> list[int]:
        raise FileNotFoundError

    monkeypatch.setattr(processes, "_children", missing)
    assert set(tree) <= set(processes.descendants(os.getpid()))


def test_who_has_ended_has_no_tree() -> None:
    with subprocess.Popen(["sleep", "0"]) as ended:
        ended.wait()
    assert system.descendants(ended.pid) == []


@pytest.mark.parametrize("its", [kin.kin, PortableProcessTree()], ids=["as on this system", "with ps, as on any"])
def test_the_warden_sees_the_same_tree(
    its: kin.LinuxProcessTree | PortableProcessTree, tree: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reaper, "kin", its)
    assert set(tree) <= set(reaper.descendants(tree[0]))
    assert os.getpid() not in reaper.descendants(tree[0])


def test_who_has_the_mark_in_its_environment_is_ours_whoever_adopted_it() -> None:
    order = ["sh", "-c", "sleep 60 >/dev/null & echo $!"]
    told = subprocess.run(
        order, env={"A": "/tmp/mlxprobe-x", **os.environ}, stdout=subprocess.PIPE, start_new_session=True, check=True
    )
    orphan = psutil.Process(int(told.stdout))
    for mark, ours in (("/tmp/mlxprobe-x", True), ("/tmp/mlxprobe", False), ("", False)):
        its = PortableProcessTree()
        its.adopt(mark)
        assert (its.parents(os.getpid()).get(orphan.pid) == os.getpid()) is ours
    orphan.kill()


def test_the_group_is_ours_whoever_adopted_it(tree: tuple[int, int]) -> None:
    parents = PortableProcessTree().parents(tree[0])
    assert parents[tree[0]] == parents[tree[1]] == os.getpid()
    assert parents[os.getpid()] == os.getppid()
