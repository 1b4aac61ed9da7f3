"""Whether outputs can be what they are compared with: what a sigmoid returns lies between 0 and 1, and so on."""

from __future__ import annotations

import math
from typing import Any

from mlxprobe.agent.graph import lazy_graph
from mlxprobe.agent.introspection import call_site
from mlxprobe.agent.recording.gradient_call import Call
from mlxprobe.agent.sampling.dispatcher import Inspection
from mlxprobe.agent.sampling.inspector import Inspector
from mlxprobe.agent.sampling.step_view import taken
from mlxprobe.protocol.facts.losses import TargetsOutOfReach

ENDS = {"Sigmoid": (0.0, 1.0), "Softmax": (0.0, 1.0), "Tanh": (-1.0, 1.0), "ReLU": (0.0, math.inf)}
ROUNDED = 0.01  # beyond an end: no more than what a rounding, or a touch of noise, does
SHARE = 0.1
VALUES = 8  # that differ: fewer may be marks, which a mask takes out
LARGE = 1 << 22  # elements


class Reaches(Inspector):
    """Read targets that a squared or an absolute error compares with what an activation returns, once evaluated."""

    emits = (TargetsOutOfReach,)
    builds_on = ("Losses",)
    shadows = True

    def __init__(self, inspection: Inspection) -> None:
        super().__init__(inspection)
        self._held: list[tuple[str, Any, tuple[str, int], str]] = []
        self._looks: dict[tuple[str, int], list[float]] = {}

    def called(self, call: Call) -> None:
        for kind, target, site in taken(self.inspection.view.bounded):
            place, seen = call_site.blamed(site if site[1] else call.loses(""), call.site)
            self._held.append((kind, target, place, seen))

    def forget(self) -> None:
        self._held = []

    def look(self, step: int) -> None:
        held = self._held
        self.forget()
        for kind, target, site, seen in held:
            if 1 < target.size <= LARGE and not self.inspection.pending([target]):
                self._read(kind, target, site, seen)

    def _read(self, kind: str, target: Any, site: tuple[str, int], seen: str) -> None:
        import mlx.core as mx

        low, high = ENDS[kind][0] - ROUNDED, ENDS[kind][1] + ROUNDED
        target = target.astype(mx.float32)
        beyond = mx.mean(((target < low) | (target > high)).astype(mx.float32))
        share, least, most = lazy_graph.numbers(mx.stack([beyond, mx.min(target), mx.max(target)]))
        values = {one for one in lazy_graph.numbers(lazy_graph.sample(target)) if not low <= one <= high}
        shares = self._looks.setdefault(site, [])
        shares.append(share if len(values) >= VALUES else 0.0)
        told = TargetsOutOfReach(
            kind=kind.lower(),
            share=min(shares),
            low=least,
            high=most,
            looks=len(shares),
            out=sum(one > SHARE for one in shares),
            seen=seen,
        )
        self.inspection.recorder.revise(told, site)
