"""How much waits behind the parameters and the state of a program: counted until it is sure that it always grows."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from mlxprobe.agent.graph import lazy_graph
from mlxprobe.agent.recording.recorder import Recorder
from mlxprobe.agent.sampling.overhead_budget import Looks

UPDATE, EACH = "update", "each model's update"


class Backlog:
    """Count the pending operations of updates; of a program without an optimizer, those of its parameters."""

    def __init__(self, recorder: Recorder, looks: Looks, count: Callable[..., int | None]) -> None:
        self._recorder = recorder
        self._looks = looks
        self._count = count
        self._functional: int | None = None
        recorder.relieved = lambda: looks.doubt(UPDATE)

    def weigh(self, parameters: Any) -> None:
        """Count what waits in parameters that no optimizer updates, but for the copies."""
        if not (self._recorder.applied or self._looks.has_proved(UPDATE)):
            self._functional = self._count(UPDATE, lazy_graph.leaves(parameters), always=True, copies=False)

    def update(self) -> int | None:
        """Count the pending operations of that model's update which has most, until growth is proved."""
        recorder, looks = self._recorder, self._looks
        if not recorder.applied:
            counted, self._functional = self._functional, None
            return counted or None  # of micro-batches before the first update it says nothing
        pairs = recorder.trained.pairs()
        what = EACH if len(pairs) > 1 else UPDATE
        if looks.has_proved(what) or looks.spares_drawing(what, recorder.step, recorder.lazy_steps):
            return None
        trees = recorder.trained.trees()
        found = self._count(UPDATE, lazy_graph.leaves(trees), always=True) if trees else None
        each = (
            [self._count(EACH, lazy_graph.leaves(one), always=True) for one in pairs]
            if found and len(pairs) > 1
            else []
        )
        return max(one or 0 for one in each) if each and None not in each else found
