"""Updates of a model that are given the gradients of another one, while its own are never computed."""

from __future__ import annotations

from typing import Any

from mlxprobe.agent.graph import lazy_graph
from mlxprobe.agent.inspectors.gradients.accumulation import ELEMENTS, SMALL, share_of_sum
from mlxprobe.agent.introspection import call_site
from mlxprobe.agent.recording.gradient_call import Call
from mlxprobe.agent.sampling.dispatcher import Inspection
from mlxprobe.agent.sampling.inspector import Inspector
from mlxprobe.protocol.facts.updates import GradientsOfAnother

SURE = 2  # looks
TRIES = 8  # looks, of models whose own gradients are pending


class Taken:
    """A small gradient of one call, and the model that it is of."""

    gradient: Any

    def __init__(self, call: Call) -> None:
        small = [(one.size, path, one) for path, one in lazy_graph.named_leaves(call.gradients)]
        small = [one for one in small if ELEMENTS <= one[0] <= SMALL]
        self.path, self.gradient = min(small, key=lambda one: one[:2])[1:] if small else ("", None)
        self.model, self.kind = id(call.model), type(call.model).__name__


class Foreign(Inspector):
    """Compare what an update is given with the gradients of other models' calls, in its own step and the last one."""

    emits = (GradientsOfAnother,)

    def __init__(self, inspection: Inspection) -> None:
        super().__init__(inspection)
        self._calls: list[Taken] = []
        self._last: list[Taken] = []  # of the step before, where this one was asked for
        self._update: tuple[int, dict[str, Any], call_site.Site] | None = None
        self._tries = self._looks = 0

    def called(self, call: Call) -> None:
        if call.model is not None and not self.inspection.inside and self._tries < TRIES:
            self._calls.append(Taken(call))

    def updating(self, model: Any, optimizer: Any, gradients: Any) -> None:
        if self._calls:
            self._update = id(model), dict(lazy_graph.named_leaves(gradients)), call_site.calling()

    def forget(self) -> None:
        self._calls, self._last, self._update = [], [], None

    def look(self, step: int) -> None:
        calls, last, update = self._calls, self._last, self._update
        self.forget()
        if update is None or not calls:
            return
        model, given, site = update
        own = [one for one in calls if one.model == model]
        passed = given.get(own[0].path) if own else None
        others = [one for one in (*calls, *last) if one.model != model and one.path]
        if passed is not None and all(self._waits(one.gradient) for one in own) and not self._waits(passed):
            self._tries += 1
            other = next((one for one in others if self._is_of(one, passed)), None)
            self._looks += other is not None
            if other is not None and self._looks >= SURE:
                self._tries = TRIES
                self.inspection.recorder.fact(GradientsOfAnother(model=own[0].kind, other=other.kind), site)
        if self._tries and self._tries < TRIES:
            self.inspection.wanted, self._last = True, calls

    def _waits(self, gradient: Any) -> bool:
        return gradient is not None and bool(self.inspection.pending([gradient]))

    def _is_of(self, other: Taken, passed: Any) -> bool:
        if other.gradient is passed:
            return True
        if other.gradient is None or other.gradient.shape != passed.shape or self._waits(other.gradient):
            return False
        return share_of_sum([lazy_graph.numbers(other.gradient)], lazy_graph.numbers(passed)) is not None
