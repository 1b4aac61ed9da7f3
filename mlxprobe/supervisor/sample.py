"""Memory and CPU time of a whole process tree, from outside."""

from __future__ import annotations

import time

import psutil

from mlxprobe.model import Sample

SAMPLE_S = 0.05
RESCAN_S = 0.25
COMPILERS = {"g++", "c++", "cc1plus", "clang", "clang++", "as", "ld", "collect2", "nvcc", "ptxas", "cicc"}


class TreeSampler:
    """Sample the descendants of a warden. The tree is listed anew only now and then: that is what costs."""

    def __init__(self, warden_pid: int, started_s: float) -> None:
        self._warden = psutil.Process(warden_pid)
        self._started_s = started_s
        self._tree: dict[int, psutil.Process] = {}
        self._cpu: dict[int, float] = {}
        self._scanned_s = 0.0
        self._sampled_s = 0.0
        self.samples: list[Sample] = []

    def sample_if_due(self) -> None:
        """Take a sample when the last one is `SAMPLE_S` old."""
        if time.monotonic() - self._sampled_s >= SAMPLE_S:
            self.sample()

    def sample(self, *, rescan: bool = False) -> Sample:
        """Sum resident memory and CPU time over the tree; processes that have ended keep their CPU time."""
        now = self._sampled_s = time.monotonic()
        if rescan or not self._tree or now - self._scanned_s >= RESCAN_S:
            self.scan()
        resident = 0
        for pid, process in list(self._tree.items()):
            try:
                with process.oneshot():
                    times = process.cpu_times()
                    resident += process.memory_info().rss
                self._cpu[pid] = times.user + times.system
            except psutil.Error:
                del self._tree[pid]
        sample = Sample(t_s=now - self._started_s, rss_bytes=resident, cpu_s=sum(self._cpu.values()))
        self.samples.append(sample)
        return sample

    def scan(self) -> None:
        """List the tree anew, keeping what is known of processes already seen."""
        self._scanned_s = time.monotonic()
        try:
            children = self._warden.children(recursive=True)
        except psutil.Error:
            children = []
        self._tree = {child.pid: self._tree.get(child.pid, child) for child in children}

    def compiling(self) -> bool:
        """Tell whether a compiler works below the program, as when MLX builds a compiled function's kernel."""
        for process in self._tree.values():
            try:
                if process.name() in COMPILERS:
                    return True
            except psutil.Error:
                continue
        return False

    def running(self) -> bool:
        """Tell whether any thread of the tree is running or waiting for a processor."""
        for process in self._tree.values():
            try:
                if process.status() in (psutil.STATUS_RUNNING, psutil.STATUS_DISK_SLEEP):
                    return True
            except psutil.Error:
                continue
        return False

    def cpu_since(self, t_s: float) -> float:
        """Return the CPU seconds that the tree has used since `t_s` after its start."""
        if not self.samples:
            return 0.0
        before = next((s.cpu_s for s in reversed(self.samples) if s.t_s <= t_s), self.samples[0].cpu_s)
        return self.samples[-1].cpu_s - before
