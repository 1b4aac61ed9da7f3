"""Gradients that were clipped by norm, and reach the optimizer as they were."""

from __future__ import annotations

import math
from typing import Any

from mlxprobe.agent.graph import lazy_graph
from mlxprobe.agent.inspectors.work.turns import HELD_BYTES
from mlxprobe.agent.intercept.events import CallEvent
from mlxprobe.agent.intercept.intercepts import Observe
from mlxprobe.agent.intercept.states import OURS, SAMPLED, TRACE
from mlxprobe.agent.introspection import call_site, isolated_import
from mlxprobe.agent.patching import static
from mlxprobe.agent.sampling.dispatcher import Inspection
from mlxprobe.agent.sampling.inspector import Inspector
from mlxprobe.protocol.facts.updates import ClippedResultUnused

IS_SURE = 3


class Clip:
    """One call of `clip_grad_norm`: some of the gradients that it was given, and its limit."""

    def __init__(self, given: list[Any], limit: float, site: tuple[str, int]) -> None:
        self.given = given
        self.limit = limit
        self.site = site


class Unclipped(Inspector):
    """Compare what is clipped with what an optimizer gets; what would not have been changed tells nothing."""

    emits = (ClippedResultUnused,)
    observes = (Observe("mlx.optimizers.optimizers.clip_grad_norm", "_clips", needs=SAMPLED, never=OURS | TRACE),)
    shadows = True

    def __init__(self, inspection: Inspection) -> None:
        super().__init__(inspection)
        self._clip: Clip | None = None
        self._passed: Clip | None = None  # to an optimizer, as it was
        self._seen: list[float] = []  # how many times the limit, at the least

    def _clips(self, event: CallEvent) -> None:
        limit = event["max_norm"]
        if self.inspection.home.here() and static.is_a(limit, (int, float)) and 0 < limit < math.inf:
            self._clip = Clip(affordable(event["grads"]), float(limit), call_site.calling())

    def updating(self, model: Any, optimizer: Any, gradients: Any) -> None:
        clip, self._clip = self._clip, None
        got = {id(one) for one in lazy_graph.leaves(gradients)}
        if clip is not None and clip.given and all(id(one) in got for one in clip.given):
            self._passed = clip

    def look(self, step: int) -> None:
        clip = self._passed
        self.forget()
        if clip is None or self.inspection.pending(clip.given):
            return
        norm = math.sqrt(sum(lazy_graph.number((one.astype(_float32()) ** 2).sum()) for one in clip.given))
        if norm > clip.limit or (self._seen and math.isnan(norm)):  # it may have exploded since
            self._seen.append(norm / clip.limit)
        if len(self._seen) == IS_SURE:
            times = min(self._seen)  # the first is a number
            with isolated_import.importable():
                from mlxprobe.agent.introspection import blame
            meant = blame.drops_first(clip.site)
            self.inspection.recorder.fact(ClippedResultUnused(limit=clip.limit, times=times, meant=meant), clip.site)

    def forget(self) -> None:
        self._clip = self._passed = None


def affordable(gradients: Any) -> list[Any]:
    """Choose gradients that may be held: their norm is at most that of all."""
    budget, held = HELD_BYTES, []
    for one in sorted(lazy_graph.leaves(gradients), key=lambda one: int(one.nbytes)):
        budget -= one.nbytes
        if budget < 0:
            break
        held.append(one)
    return held


def _float32() -> Any:
    import mlx.core as mx

    return mx.float32
