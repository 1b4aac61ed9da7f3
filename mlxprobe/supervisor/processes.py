"""The processes of one watch: their logs, which of them are programs, and which have ended."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable
from typing import Any

from mlxprobe.agent.introspection.code_ownership import Roots
from mlxprobe.protocol.facts.processes import ChildEnded
from mlxprobe.supervisor.event_log import NO_SENSE, EventLog, EventReader
from mlxprobe.supervisor.jobs import Jobs
from mlxprobe.supervisor.rank_cpu import CpuUsage, cpu_usage_of

MAX_LOGS = 64  # processes whose events are read
IN_PARTS = ("all_sum", "all_max", "all_min")  # of at most 8 MB, each of which a carrier hands over
AT_ONCE = 2**21  # elements; others are handed over whole


class Processes(EventReader):
    """The logs of all processes that speak, by process number; 0 is one that we have started under the agent ourselves.

    `programs` are those that train or belong to a group of ranks, by rank; where none does, the first that spoke; and
    the one that we have started, alone. The first of them is the one by which a person follows the whole.
    """

    def __init__(self, started_s: float, *, untagged: bool = True) -> None:
        super().__init__()
        self.started_s = started_s
        self._untagged = untagged  # the agent is started by us: its events have no number
        self.roots = Roots()
        self.logs: dict[int, EventLog] = {}
        self.left_out: set[int] = set()
        self.gone: set[int] = set()
        self.above: set[int] = set()  # processes that started a program, and wait for it
        self.programs: list[EventLog] = [self._new()]
        self._jobs = Jobs()

    def take(self, event: dict[str, Any]) -> bool:
        """Hand an event to the log of the process that sent it; one that cannot be read is lost to that log alone."""
        log = self._log_of(event)
        if log is None:
            return False
        try:
            return log.take(event)
        except NO_SENSE:
            if not log.introduced:
                raise
            log.lose(event.get("e"), event.get("name", ""))
            return False

    def _log_of(self, event: dict[str, Any]) -> EventLog | None:
        """Return the log of an event's process; None where there are too many.

        Only a process that has introduced itself takes the place of one that has not.
        """
        tag = event.get("p", 0)
        if type(tag) is not int or tag < (not self._untagged):
            raise ValueError(tag)
        introduces = event.get("e") == "process"
        if introduces and event["pid"] != tag != 0:
            raise ValueError(event["pid"])
        if tag not in self.logs and len(self.logs) >= MAX_LOGS:
            strange = next((one for one, log in self.logs.items() if not log.introduced), None)
            if strange is None or not introduces:
                self.left_out.add(tag)
                return None
            del self.logs[strange]
        return self.logs.setdefault(tag, self._new())

    def feed(self, lines: bytes) -> bool:
        """Take in complete lines; return whether they show progress of any process."""
        if not lines:
            return False
        moved = super().feed(lines)
        self._jobs.assign(self.logs.values())
        self.programs = sorted(
            self._programs(), key=lambda log: (log.process.rank < 0, log.process.job, log.process.rank)
        )
        return moved

    def _new(self) -> EventLog:
        return EventLog(self.started_s, self.roots)

    def _programs(self) -> list[EventLog]:
        known = {tag: log for tag, log in self.logs.items() if log.introduced} or self.logs
        if 0 in known:
            return [known[0]]
        told = list(known.values())
        found = [log for log in told if log.trains or log.steps or log.joined]
        ranks = {(log.process.job, log.process.rank) for log in found}
        for log in told:  # a rank that has not come so far; what it starts has its number too
            its = log.process.job, log.process.rank
            if log.process.rank >= 0 and its not in ranks and log.process.size != 1:
                ranks.add(its)
                found.append(log)
        return found or told[:1] or [self._new()]

    @property
    def leading(self) -> EventLog:
        """The log by which the whole is followed."""
        return self.programs[0]

    @property
    def others(self) -> list[EventLog]:
        """The logs of processes that are no programs: launchers, loaders."""
        return [log for log in self.logs.values() if log not in self.programs]

    @property
    def begun(self) -> bool:
        """Whether any process has."""
        return any(log.begun for log in self.logs.values())

    @property
    def running(self) -> bool:
        """Whether any process runs its program's own lines."""
        return any(log.running for log in self.logs.values())

    @property
    def own_threads(self) -> set[str]:
        """The agents' threads."""
        return set().union(*(log.own_threads for log in self.logs.values()))

    def rank_usage(self) -> dict[int, CpuUsage]:
        """Return the CPU use of the processes of a group of ranks."""
        return cpu_usage_of(self.of_group, self.own_threads, self.carriers)

    @property
    def carriers(self) -> set[str]:
        """The threads that carry messages between ranks; none where a message may take them long."""
        rows = (row for log in self.logs.values() if log.carriers for row in log.collectives)
        if any(row.operation not in IN_PARTS and math.prod(row.shape) > AT_ONCE for row in rows):
            return set()
        return set().union(*(log.carriers for log in self.logs.values()))

    @property
    def pids(self) -> set[int]:
        """Every process that the agent has settled in, and their forks."""
        return {log.process.pid for log in self.logs.values()}.union(*(log.pids for log in self.logs.values()))

    @property
    def on_gpu(self) -> bool:
        """Whether any of them computes on a device whose load cannot be read."""
        return any(log.device == "gpu" for log in self.logs.values())

    def bystanders(self, pid: int) -> set[str]:
        """Return the threads of a rank that do no work of its own: the agent's, and those that carry its messages.

        Empty for a rank whose carriers are unknown.
        """
        log = next((one for one in self.programs if one.process.pid == pid), None)
        return log.own_threads | log.carriers if log and log.carriers else set()

    @property
    def of_group(self) -> list[int]:
        """The processes of a group of several ranks."""
        found = [log.process.pid for log in self.programs if log.process.rank >= 0]
        return [pid for pid in found if pid not in self.gone] if len(found) > 1 else []

    def asked(self, living: Collection[int]) -> dict[int, list[int]]:
        """Return the processes that can be asked for stacks, each with its forks that cannot answer themselves."""
        settled = {log.process.pid for log in self.logs.values()}
        return {
            log.process.pid: [pid for pid in log.pids if pid in living and pid not in settled]
            for log in self.logs.values()
            if log.process.pid in living and (log in self.programs or log.process.pid not in self.above)
        }

    def statuses(self, orphans: Iterable[tuple[int, int]]) -> dict[int, int]:
        """Return the exit codes that a parent, the reaper or the process itself has reported."""
        told = dict(orphans)
        for log in self.logs.values():
            told |= {one.fact.pid: one.fact.status for one in log.sightings if isinstance(one.fact, ChildEnded)}
        return told | {log.process.pid: log.status for log in self.logs.values() if log.status is not None}

    def follow(self, living: Collection[int], ancestors: Collection[int]) -> None:
        """Take in which processes live, and which are above the programs."""
        self.gone = {log.process.pid for log in self.logs.values()} - set(living)
        self.above = set(ancestors) - {log.process.pid for log in self.programs}
