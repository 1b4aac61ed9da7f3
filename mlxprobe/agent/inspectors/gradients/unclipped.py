"""Gradients that were clipped by norm, and reach the optimizer as they were."""

from __future__ import annotations

import math

from mlxprobe.agent.inspectors.gradients.clipping import norm_of
from mlxprobe.agent.introspection import isolated_import
from mlxprobe.agent.sampling.dispatcher import Inspection
from mlxprobe.agent.sampling.inspector import Inspector
from mlxprobe.protocol.facts.updates import ClippedResultUnused

IS_SURE = 3


class Unclipped(Inspector):
    """Weigh gradients that an update is given as they were before clipping; what fits the limit tells nothing."""

    emits = (ClippedResultUnused,)
    builds_on = ("Provenance",)
    shadows = True

    def __init__(self, inspection: Inspection) -> None:
        super().__init__(inspection)
        self._seen: list[float] = []  # how many times the limit, at the least

    def look(self, step: int) -> None:
        clips = [one.clip for one in self.inspection.view.applied if one.clip and one.clip.unused]
        if not clips or not 0 < clips[-1].limit < math.inf or self.inspection.pending(clips[-1].given):
            return
        clip, norm = clips[-1], norm_of(clips[-1].given)
        if norm > clip.limit or (self._seen and math.isnan(norm)):  # it may have exploded since
            self._seen.append(norm / clip.limit)
        if len(self._seen) == IS_SURE:
            times = min(self._seen)  # the first is a number
            with isolated_import.importable():
                from mlxprobe.agent.introspection import blame
            meant = blame.drops_first(clip.site)
            self.inspection.recorder.fact(ClippedResultUnused(limit=clip.limit, times=times, meant=meant), clip.site)
