"""Gradients and losses that are not finite, and whether those ever reached the parameters."""

from __future__ import annotations

import math
from typing import Any

from mlxprobe.agent.graph import lazy_graph
from mlxprobe.agent.recording.gradient_call import Call
from mlxprobe.agent.sampling.dispatcher import Inspection
from mlxprobe.protocol.facts.gradients import GradientNotFinite, GradientsRecovered
from mlxprobe.protocol.facts.losses import LossNotFinite

STRETCHES = 16  # of gradients that are not finite: told one by one, and looked after at once


class Infinite:
    """Follow the parameters whose gradients were not finite."""

    def __init__(self, inspection: Inspection) -> None:
        self._inspection = inspection
        self._site = ("", 0)
        self._bad: set[str] = set()  # what had such a gradient, and is not known to have got over it
        self.suspects: dict[str, Any] = {}  # those, as the call under way was given them
        self._worries = 0

    def called(self, call: Call) -> None:
        """Remember those parameters whose gradient was not finite, as they are given to a call."""
        self._site, self.suspects = call.site, {}
        if self._bad:
            prefix = f"{id(call.model)}:" if call.model is not None else ""
            pairs = zip(lazy_graph.named_leaves(call.gradients), lazy_graph.leaves(call.parameters), strict=False)
            self.suspects = {prefix + path: one for (path, _), one in pairs if prefix + path in self._bad}

    def forget(self) -> None:
        """Let go of parameters."""
        self.suspects = {}

    def look(self, sizes: dict[str, float], loss: float | None, suspects: dict[str, Any]) -> None:
        """Take up the largest element of each gradient, and the loss, as far as it is known."""
        recorder = self._inspection.recorder
        finite = [size for size in sizes.values() if math.isfinite(size)]
        if len(finite) < len(sizes):
            self._worry([path for path, size in sizes.items() if not math.isfinite(size)])
            recorder.losses.not_finite(self._call)
        elif self._bad:
            self._get_over(suspects)
        if finite:
            self._inspection.view.gradient = max(finite)
        if loss is not None and not math.isfinite(loss):
            recorder.fact(LossNotFinite(value=str(loss), call=self._call), self._site)

    @property
    def _call(self) -> int:
        return self._inspection.recorder.gradients + self._inspection.inside

    def _worry(self, bad: list[str]) -> None:
        """Tell of gradients that are not finite; the next look shows whether they have reached the parameters."""
        recorder, paths = self._inspection.recorder, tuple(path.rpartition(":")[2] for path in bad[:5])
        self._worries += 1
        anew = not self._bad and self._worries <= STRETCHES
        tell = recorder.revise if anew else recorder.fact
        tell(GradientNotFinite(paths=paths, count=len(bad), call=self._call), self._site)
        self._inspection.wanted = self._inspection.wanted or self._worries <= STRETCHES
        self._bad |= set(bad)

    def _get_over(self, suspects: dict[str, Any]) -> None:
        """Tell that a gradient never reached what it is of: that is finite, and so are the gradients of now."""
        arrays = list(suspects.values())
        if suspects.keys() != self._bad or (not self._inspection.inside and lazy_graph.pending(arrays, copies=False)):
            return
        if all(math.isfinite(lazy_graph.largest(one)) for one in arrays):
            self._bad = set()
            self._inspection.recorder.revise(GradientsRecovered(call=self._call), self._site)
