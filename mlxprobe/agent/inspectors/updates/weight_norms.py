"""How large the weights are, from the first look to the last."""

from __future__ import annotations

import math
from typing import Any

from mlxprobe.agent.graph import lazy_graph
from mlxprobe.agent.recording.gradient_call import Call
from mlxprobe.agent.sampling.dispatcher import Inspection
from mlxprobe.agent.sampling.inspector import Inspector
from mlxprobe.protocol.facts.updates import WeightsDecayed

MOST = 4  # matrices
ENOUGH_LOOKS, LOOKS = 4, 40
GONE = 0.1  # of what it was


class Norms(Inspector):
    """Read some elements of the largest matrices that are trained, where they are evaluated."""

    emits = (WeightsDecayed,)
    passes = 1

    def __init__(self, inspection: Inspection) -> None:
        super().__init__(inspection)
        self._first: dict[tuple[tuple[str, int], str], float] = {}
        self._looks = 0
        self._told = False

    def called(self, call: Call) -> None:
        if self._looks >= LOOKS or call.parameters is None:
            return
        named = [(path, one) for path, one in lazy_graph.named_leaves(call.parameters) if one.ndim > 1]
        largest = sorted(named, key=lambda pair: -int(pair[1].size))[:MOST]
        if largest and not self.inspection.pending([one for _, one in largest], copies=False):
            self._compare(call, {path: size(one) for path, one in largest})

    def _compare(self, call: Call, sizes: dict[str, float]) -> None:
        self._looks += 1
        shares = []
        for path, now in sizes.items():
            first = self._first.setdefault((call.site, path), now)
            shares.append(now / first if first > 0 else math.inf)
        is_gone = self._looks >= ENOUGH_LOOKS and all(share < GONE for share in shares)  # of what is not finite none is
        if is_gone or self._told:
            self._told = True
            share = max(shares) if is_gone else 1.0
            self.inspection.recorder.revise(WeightsDecayed(share=share, gone=len(shares) * is_gone), call.site)


def size(array: Any) -> float:
    """Return the root mean square of some elements."""
    values = lazy_graph.numbers(lazy_graph.sample(array))
    return math.sqrt(sum(one * one for one in values) / len(values)) if values else 0.0
