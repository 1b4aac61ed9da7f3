"""Memory and CPU time of a whole process tree, from outside."""

from __future__ import annotations

import contextlib
import math
import time
from collections.abc import Callable, Collection, Iterable

import psutil

from mlxprobe.schema.observation import Sample
from mlxprobe.supervisor.downsample import thin
from mlxprobe.system.interface import Thread
from mlxprobe.system.system import system

SAMPLE_S = 0.05
RESCAN_S = 0.25
AHEAD_S = 0.1
BETWEEN_KERNELS_S = 0.5  # MLX builds one kernel after the other, each in a process that may be gone before a rescan
COMPILERS = {"g++", "c++", "cc1plus", "clang", "clang++", "as", "ld", "collect2", "nvcc", "ptxas", "cicc"}


class TreeSampler:
    """Sample the descendants of a process. The tree is listed again only now and then, because that is slow."""

    def __init__(self, root_pid: int, started_s: float, *, with_root: bool = False) -> None:
        self._root_pid = root_pid  # a reaper, which is none of the program's; or the program itself
        self._with_root = with_root
        self.started_s = started_s
        self._tree: dict[int, psutil.Process] = {}
        self._cpu: dict[int, float] = {}
        self._cpu_before_s = 0.0  # of processes that are gone for good
        self.scanned_s = 0.0
        self._sampled_s = 0.0
        self._compiled_s = -BETWEEN_KERNELS_S
        self.samples: list[Sample] = []
        self.apart: dict[int, list[Sample]] = {}  # of processes that are sampled separately too
        self.bystanders: Callable[[int], Collection[str]] = lambda _: ()  # threads that do no work of their own
        self._own: dict[int, tuple[float, tuple[float, float]]] = {}  # when, and what a rank had used and wanted

    def sample_if_due(self, within_s: float = SAMPLE_S) -> None:
        """Take a sample when the last one is this old."""
        if time.monotonic() - self._sampled_s >= within_s:
            self.sample()

    def sample(self, *, rescan: bool = False) -> Sample:
        """Sum resident memory and CPU time over the tree; processes that have ended keep their CPU time."""
        now = self._sampled_s = time.monotonic()
        if rescan or not self._tree or now - self.scanned_s >= RESCAN_S:
            self.scan()
        resident = 0
        for pid, process in list(self._tree.items()):
            try:
                with process.oneshot():
                    times = process.cpu_times()
                    held = 0 if process.name() in COMPILERS else system.resident_bytes(process)
                resident += held  # a compiler's memory is not the program's
                self._cpu[pid] = times.user + times.system
                if pid in self.apart:
                    self._add(self.apart[pid], now, held, self._cpu[pid], self._own_s(pid, now))
            except psutil.Error:
                del self._tree[pid]
        return self._add(self.samples, now, resident, self._cpu_before_s + sum(self._cpu.values()))

    def _own_s(self, pid: int, now: float) -> tuple[float, float]:
        """Return what a rank has used for work of its own, and wanted; read now and then, for it is many files."""
        at_s, known = self._own.get(pid, (-math.inf, (0.0, 0.0)))
        if system.knows_threads and now - at_s > RESCAN_S and (but := self.bystanders(pid)):
            found = system.times(pid, but).values()
            known = sum(one.used_ns for one in found) / 1e9, sum(map(sum, found)) / 1e9
            self._own[pid] = now, known
        return known

    def _add(
        self, samples: list[Sample], now: float, rss_bytes: int, cpu_s: float, own: tuple[float, float] = (0.0, 0.0)
    ) -> Sample:
        own_s, wanted_s = own
        sample = Sample(t_s=now - self.started_s, rss_bytes=rss_bytes, cpu_s=cpu_s, own_s=own_s, wanted_s=wanted_s)
        samples.append(sample)
        thin(samples, lambda one: one.rss_bytes)
        return sample

    def scan(self) -> set[int]:
        """List the tree again, keeping what is known of processes already seen; return its process numbers."""
        self.scanned_s = time.monotonic()
        known, self._tree = self._tree, {}
        for pid in [self._root_pid] * self._with_root + system.descendants(self._root_pid):
            try:
                self._tree[pid] = known.get(pid) or psutil.Process(pid)
            except psutil.Error:
                continue
        for pid in [pid for pid in self._cpu.keys() - self._tree.keys() if not psutil.pid_exists(pid)]:
            self._cpu_before_s += self._cpu.pop(pid)
        return set(self._tree)

    @property
    def pids(self) -> set[int]:
        """The processes of the tree, as it was listed last."""
        return set(self._tree)

    def process(self, pid: int) -> psutil.Process | None:
        """Return a process of the tree, as it was listed last."""
        return self._tree.get(pid)

    def nears(self, limit_bytes: int) -> bool:
        """Check whether memory that goes on growing as it does now is over the limit before two more samples."""
        if len(self.samples) < 2:
            return False
        before, last = self.samples[-2:]
        rate = (last.rss_bytes - before.rss_bytes) / max(last.t_s - before.t_s, 1e-3)
        return last.rss_bytes + rate * AHEAD_S > limit_bytes

    def compiling(self) -> bool:
        """Check whether a compiler works below the program or just has, as when MLX builds a step's kernels."""
        now_s = time.monotonic()
        if now_s - self.scanned_s >= SAMPLE_S:
            self.scan()
        if any(_name(process) in COMPILERS for process in self._tree.values()):
            self._compiled_s = now_s
        return now_s - self._compiled_s < BETWEEN_KERNELS_S

    def threads(self, but: Collection[str] = (), without: Collection[int] = ()) -> list[Thread]:
        """List the tree's threads, without some processes'."""
        return system.threads(self._tree.keys() - set(without), but)

    def ancestors(self, pids: Iterable[int]) -> set[int]:
        """Return the processes of the tree that others of it descend from."""
        found: set[int] = set()
        for pid in pids:
            with contextlib.suppress(psutil.Error):
                found |= {one.pid for one in psutil.Process(pid).parents()}
        return found & set(self._tree)

    def cpu_since(self, t_s: float) -> float:
        """Return the CPU seconds that the tree has used since `t_s` after its start."""
        if not self.samples:
            return 0.0
        before = next((s.cpu_s for s in reversed(self.samples) if s.t_s <= t_s), self.samples[0].cpu_s)
        return self.samples[-1].cpu_s - before

    def wanted_s(self, but: Collection[str] = ()) -> float:
        """Return the CPU seconds that the tree's living threads have used or waited for; 0 where that is unknown.

        On a busy machine a loop may get little time, but it always wants all.
        """
        return sum(sum(one) for pid in self._tree for one in system.times(pid, but).values()) / 1e9


def _name(process: psutil.Process) -> str:
    try:
        return str(process.name())
    except psutil.Error:
        return ""
