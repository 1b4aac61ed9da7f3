"""Which ranks belong together, where several jobs run under one watch: one after the other, or side by side.

Ranks of one job have a launcher in common: the nearest process above them that is one. Without one, as where a script
starts each rank itself, those belong together that are to meet at the same addresses. A rank that comes into a group
again, together with or after another of its number, belongs to a later job.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterable
from pathlib import Path, PurePath
from typing import TYPE_CHECKING, NamedTuple

import msgspec
import psutil

from mlxprobe.system.system import system

if TYPE_CHECKING:
    from mlxprobe.supervisor.event_log import EventLog

LAUNCHERS = {"mlx.launch", "mpirun", "mpiexec", "orterun", "prterun", "prun", "srun", "torchrun", "launch.py"}
WORDS = 3  # of a command, among which is a launcher's name: python, an option, the script
MEETINGS = ("NCCL_HOST_IP", "NCCL_PORT", "MLX_JACCL_COORDINATOR")


class Origin(NamedTuple):
    """The launcher of a process (0: none), the address at which its ranks meet (empty: unknown), and its ancestors."""

    launcher: int
    meeting: str
    above: tuple[int, ...]


class Jobs:
    """Numbers jobs from 1, in the order in which they came; a single one is 0."""

    def __init__(self) -> None:
        self._origins: dict[int, Origin] = {}

    def assign(self, logs: Iterable[EventLog]) -> None:
        """Set the job of each rank's log."""
        ranks = [log for log in logs if log.process.rank >= 0]
        numbers = self._numbers(ranks) if len(ranks) > 1 else [0] * len(ranks)
        for log, number in zip(ranks, numbers, strict=True):
            if log.process.job != number:
                log.process = msgspec.structs.replace(log.process, job=number)

    def _numbers(self, ranks: list[EventLog]) -> list[int]:
        origins = [self._origin(log) for log in ranks]
        blurred = any(not one.launcher and not one.meeting for one in origins)
        under = _parents(ranks) if blurred else [one.meeting for one in origins]
        groups = [one.launcher or other for one, other in zip(origins, under, strict=True)]
        times: dict[tuple[object, int], list[int]] = {}  # the processes of each rank that have joined, in their order
        last: dict[object, int] = {}
        for log, group in zip(ranks, groups, strict=True):
            if log.joined:
                known = times.setdefault((group, log.process.rank), [])
                known.append(log.process.pid)
                last[group] = max(last.get(group, 0), len(known) - 1)
        keys = []
        of = {log.process.pid: group for log, group in zip(ranks, groups, strict=True)}
        for log, one, own in zip(ranks, origins, groups, strict=True):
            group = next((of[pid] for pid in one.above if pid in of), own)
            known = times.get((group, log.process.rank), [])
            mine = next((k for k, pid in enumerate(known) if pid == log.process.pid or pid in one.above), None)
            keys.append((group, last.get(group, 0) if mine is None else mine))
        order = list(dict.fromkeys(keys))
        return [order.index(key) + 1 if len(order) > 1 else 0 for key in keys]

    def _origin(self, log: EventLog) -> Origin:
        pid = log.process.pid
        if pid not in self._origins:
            self._origins[pid] = _origin(pid, log.process.parent)
        return self._origins[pid]


def _parents(ranks: list[EventLog]) -> list[int]:
    """Return the parent of each where every one of them has started several ranks; else 0."""
    pids = {log.process.pid for log in ranks}
    started: dict[int, set[int]] = {}
    for log in ranks:
        if log.process.parent not in pids:
            started.setdefault(log.process.parent, set()).add(log.process.rank)
    apart = all(len(some) > 1 for some in started.values())
    return [log.process.parent if apart and log.process.parent in started else 0 for log in ranks]


def _origin(pid: int, parent: int) -> Origin:
    above, launcher = [parent], 0
    with contextlib.suppress(psutil.Error):  # gone already, with all that is above it
        one: psutil.Process | None = psutil.Process(parent)
        while one is not None and one.pid > 1:
            above.append(one.pid)
            launcher = launcher or (one.pid if _launches(one.cmdline()) else 0)
            one = one.parent()
    return Origin(launcher, _meeting(pid), tuple(above))


def _launches(command: list[str]) -> bool:
    return not LAUNCHERS.isdisjoint(PurePath(word).name for word in command[:WORDS])


def _meeting(pid: int) -> str:
    given = system.environment(pid)
    told = [given[name] for name in MEETINGS if given.get(name)]
    with contextlib.suppress(OSError, ValueError):
        if file := given.get("MLX_HOSTFILE"):
            told.append(json.dumps(json.loads(Path(file).read_text())))
    return " ".join(told)
