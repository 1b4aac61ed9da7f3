"""Events of the machine during a watch: memory runs out, other processes use MLX unwatched. They are only reported."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterator

from mlxprobe.protocol.facts.memory import MemoryNearlyGone
from mlxprobe.protocol.facts.processes import AnotherProcess, OnMetal
from mlxprobe.schema.observation import Sighting
from mlxprobe.supervisor.watch import Watcher
from mlxprobe.system import MAC
from mlxprobe.system.system import system

LOOK_S = 0.5
MOST_SEEN = 1000  # processes, before those are forgotten that have ended
LONGEST_S = 8.0  # between two looks at a process that has been there for long
LEFT_SHARE = 0.05  # of the memory: less of it available is running out
HELD_SHARE = 0.5  # of what is used: who holds more is why
MLX = ("/mlx/core.", "/libmlx.")


class MachineEvents:
    """Check the machine now and then, and add what is found to the program's facts, each once."""

    def __init__(
        self, available: Callable[[], int] = system.available_bytes, total: Callable[[], int] = system.memory_bytes
    ) -> None:
        self._available, self._total = available, total
        self._looked_s = 0.0
        self._told: set[bool] = set()
        self._seen: dict[int, tuple[float, float]] = {}  # when a process was seen first, and when to look again

    def look(self, watcher: Watcher) -> Iterator[Sighting[MemoryNearlyGone]]:
        """Check the machine where that is due; yield what must be reported at once."""
        now = time.monotonic()
        if now - self._looked_s < LOOK_S:
            return
        self._looked_s = now
        log = watcher.log
        if MAC and log.device == "gpu" and not any(isinstance(one.fact, OnMetal) for one in log.sightings):
            log.sightings.append(Sighting(fact=OnMetal()))
        known = {watcher.child.pid} | watcher.processes.pids
        if len(self._seen) > MOST_SEEN:
            self._seen = {pid: seen for pid, seen in self._seen.items() if pid in watcher.tree.pids}
        for pid in self._with_mlx(watcher.tree.pids - known, known, now):
            log.sightings.append(Sighting(fact=AnotherProcess(pid=pid), step=log.step))
        for one in (self._machine(watcher), self._device(watcher)):
            if one is not None and one.fact.gpu not in self._told:
                self._told.add(one.fact.gpu)
                log.sightings.append(one)
                yield one

    def _machine(self, watcher: Watcher) -> Sighting[MemoryNearlyGone] | None:
        held = watcher.tree.samples[-1].rss_bytes if watcher.tree.samples else 0
        available, total = self._available(), self._total()
        if available >= LEFT_SHARE * total or held < HELD_SHARE * (total - available):
            return None
        return _nearly_gone(watcher, available, total, held, gpu=False)

    def _device(self, watcher: Watcher) -> Sighting[MemoryNearlyGone] | None:
        total, memory = watcher.log.device_bytes, watcher.log.memory
        held = memory[-1].active_bytes if memory else 0  # its cache MLX gives back when memory is short
        if not total or total - held >= LEFT_SHARE * total:
            return None
        return _nearly_gone(watcher, max(0, total - held), total, held, gpu=True)

    def _with_mlx(self, pids: Collection[int], known: Collection[int], now: float) -> Iterator[int]:
        """Find processes that have loaded MLX; the agent did not settle in them, or in what they were forked from."""
        for pid in pids:
            first, due = self._seen.setdefault(pid, (now, now))
            if now < due:
                continue
            loaded = has_mlx(pid) and not system.is_fork(pid, known)
            self._seen[pid] = first, float("inf") if loaded else now + min(LONGEST_S, now - first)
            if loaded:
                yield pid


def _nearly_gone(watcher: Watcher, available: int, total: int, held: int, *, gpu: bool) -> Sighting[MemoryNearlyGone]:
    fact = MemoryNearlyGone(available_bytes=available, total_bytes=total, held_bytes=held, gpu=gpu)
    return Sighting(fact=fact, t_s=time.monotonic() - watcher.child.started_s, step=watcher.log.step)


def has_mlx(pid: int) -> bool:
    """Check whether a process has loaded MLX."""
    return any(name in file for file in system.mapped(pid) for name in MLX)
