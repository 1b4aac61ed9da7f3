"""How much a gradient call is given, from step to step."""

from __future__ import annotations

from mlxprobe.agent import graph
from mlxprobe.agent.inspection import Call, Inspection, Inspector

ENOUGH = 5  # looks, each with more than the one before
FACTOR = 3


class Sizes(Inspector):
    """Follow the number of elements, and of rows, among a gradient call's data."""

    def __init__(self, inspection: Inspection) -> None:
        super().__init__(inspection)
        self._first = self._last = (0, 0)  # elements, rows
        self._rises = 0

    def called(self, call: Call) -> None:
        """Compare with the last look; one that has not more begins anew."""
        arrays = graph.leaves(call.data)
        now = sum(one.size for one in arrays), max((one.shape[0] for one in arrays if one.ndim), default=0)
        if now[0] > self._last[0] > 0:
            self._rises += 1
        else:
            self._first, self._rises = now, 0
        self._last = now
        if self._rises >= ENOUGH and now[0] >= FACTOR * self._first[0]:
            self.inspection.recorder.fact(
                "input grows", call.site, first=self._first[1], last=now[1], looks=self._rises
            )
