"""Whether what gradients are taken of changes from step to step."""

from __future__ import annotations

from typing import Any

from mlxprobe.agent import graph
from mlxprobe.agent.inspection import Call, Inspection, Inspector
from mlxprobe.agent.inspectors.gradients import HELD_BYTES, HELD_SHARE

MANY = 8
UNCHANGED_IS_SURE = 4


def affordable(named: list[tuple[str, Any]]) -> list[tuple[str, Any]]:
    """Return the first, and as many more as may be kept alive through an update without raising the peak of memory."""
    budget = max(HELD_BYTES, HELD_SHARE * sum(one.nbytes for _, one in named))
    sizes = [sum(one.nbytes for _, one in named[: k + 1]) for k in range(len(named))]
    return [pair for k, pair in enumerate(named) if not k or sizes[k] <= budget]


class Parameters(Inspector):
    """Compare a few small parameters with what they were at the last look."""

    def __init__(self, inspection: Inspection) -> None:
        super().__init__(inspection)
        self._held: list[tuple[int, dict[str, Any], tuple[str, int]]] = []
        self._before: dict[int, dict[str, list[float]]] = {}
        self._unchanged: dict[int, int] = {}
        self._updates: dict[int, int] = {}
        self._idle = 0  # looks that found the same where no optimizer had updated anything
        self._waiting: list[tuple[int, float]] = []  # gradient calls, and operations pending of each parameter
        self._site = ("", 0)

    def called(self, call: Call) -> None:
        named = sorted(graph.named_leaves(call.parameters), key=lambda pair: int(pair[1].size))
        small = affordable([(path, one) for path, one in named if one.size][:MANY])
        self._site = call.site
        if all(key != id(call.model) for key, *_ in self._held):
            self._held.append((id(call.model), dict(small), call.site))

    def look(self, step: int) -> None:
        held, self._held = self._held, []
        for key, arrays, site in held:
            pending = self.inspection.pending(list(arrays.values())) / max(1, len(arrays))
            if pending or not arrays:
                self._waiting.append((self.inspection.recorder.gradients, pending))
                continue
            values = {path: graph.numbers(graph.sample(one)) for path, one in arrays.items()}
            before = self._before.get(key)
            self._before[key] = values
            if before is not None:
                self._compare(key, before == values, site)

    def _compare(self, key: int, same: bool, site: tuple[str, int]) -> None:
        """Count looks that found the same, one for each update: in between nothing is to change."""
        recorder = self.inspection.recorder
        since, self._updates[key] = self._updates.get(key, 0), recorder.updates
        if not same:
            recorder.changed = True
            self._unchanged[key] = 0
        elif recorder.updates > since:
            self._unchanged[key] = self._unchanged.get(key, 0) + 1
            if self._unchanged[key] >= UNCHANGED_IS_SURE and self.inspection.looked.get("gradient") != 0.0:
                recorder.fact("parameters unchanged", site, looks=self._unchanged[key] + 1)
        else:
            self._idle += 1

    def finish(self) -> None:
        recorder = self.inspection.recorder
        if recorder.applied or recorder.changed or recorder.gradients < UNCHANGED_IS_SURE:
            return
        if self._idle or self._only_copied():
            recorder.fact("gradients unused", self._site, gradients=recorder.gradients)

    def _only_copied(self) -> bool:
        """Tell whether parameters that nobody evaluates gain but the copy that each gradient call makes of them."""
        if len(self._waiting) < UNCHANGED_IS_SURE:
            return False
        (calls, before), (later, after) = self._waiting[0], self._waiting[-1]
        return after - before <= later - calls
