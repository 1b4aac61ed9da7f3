"""After how long a silence is told, and where a program is ended."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
from itertools import takewhile
from typing import TYPE_CHECKING

from mlxprobe.settings.table import Settings

if TYPE_CHECKING:
    from mlxprobe.schema.observation import Limits, Step
    from mlxprobe.supervisor.event_log import EventLog

FOREVER_S = 1e9
STALL_FLOOR_S = 60.0
STALL_FACTOR = 20
REST_FLOOR_S = 10.0  # of a process that was not started to be watched


class Slowest:
    """The slowest step of some processes so far; those are looked at that have come since it was asked for last."""

    def __init__(self) -> None:
        self._known_s = 0.0
        self._until_s: dict[int, float] = {}  # when the last step ended that was looked at, by process

    def step_s(self, logs: Iterable[EventLog], took_s: Callable[[Step], float]) -> float:
        """Return how long it took, as `took_s` says."""
        self._known_s = max([self._known_s, *(took_s(step) for log in logs for step in self._new(log))])
        return self._known_s

    def _new(self, log: EventLog) -> Iterator[Step]:
        """List the new steps of a process, without its first two: they compile."""
        until_s = self._until_s.get(log.process.pid, -math.inf)
        if log.steps:
            self._until_s[log.process.pid] = log.steps[-1].t_s
        new = takewhile(lambda step: step.t_s > until_s, reversed(log.steps))
        return (step for step in new if step not in log.steps[:2])


def limits_of(settings: Settings, slowest_s: float = 0.0) -> Limits:
    """Return the limits that somebody asked for, and no other but the one after which a silence is told."""
    from mlxprobe.schema.observation import Limits
    from mlxprobe.settings.machine_limits import memory_limit  # which no program's start waits for

    return Limits(
        stall_s=settings.stall_s or max(STALL_FLOOR_S, STALL_FACTOR * slowest_s),
        startup_s=FOREVER_S,
        timeout_s=settings.timeout_s or FOREVER_S,
        memory_bytes=0 if settings.memory is None else memory_limit(settings.memory),
    )


def limits_within(settings: Settings, slowest_s: float = 0.0, *, on_gpu: bool = False) -> Limits:
    """Return the limits of a process that asked to be watched: nothing ends it.

    Somebody sits before it: a tree that sleeps is told of sooner than a busy one, unless a GPU works, which none sees.
    """
    from mlxprobe.schema.observation import Limits

    floor_s = STALL_FLOOR_S if on_gpu else REST_FLOOR_S
    return Limits(
        stall_s=settings.stall_s or max(floor_s, STALL_FACTOR * slowest_s),
        busy_s=settings.stall_s or max(STALL_FLOOR_S, STALL_FACTOR * slowest_s),
        startup_s=FOREVER_S,
        timeout_s=FOREVER_S,
        memory_bytes=0,
    )
