"""Whether log-probabilities of before are those of the rows that they are compared with."""

from __future__ import annotations

import math
from typing import Any

from mlxprobe.agent.graph import lazy_graph
from mlxprobe.agent.recording.gradient_call import Call
from mlxprobe.agent.sampling.dispatcher import Inspection
from mlxprobe.agent.sampling.inspector import Inspector
from mlxprobe.protocol.facts.losses import ProbabilityRatio
from mlxprobe.protocol.least_squares import dot

LOOKS = 40


class Ratios(Inspector):
    """Correlate what an exponential takes an argument from with that argument, at the steps that are looked at."""

    emits = (ProbabilityRatio,)
    builds_on = ("Losses",)

    def __init__(self, inspection: Inspection) -> None:
        super().__init__(inspection)
        self._held: list[tuple[Any, str, Any]] = []
        self._looks: dict[str, list[float]] = {}
        self._sites: dict[str, tuple[str, int]] = {}

    def called(self, call: Call) -> None:
        self._held = self.inspection.view.ratios[-1:]

    def forget(self) -> None:
        self._held = []

    def look(self, step: int) -> None:
        held = self._held
        self.forget()
        for one, name, before in held:
            looks = self._looks.setdefault(name, [])
            if len(looks) >= LOOKS or self.inspection.pending([one.array, before]):
                continue
            less, old = lazy_graph.numbers_each([one.array, before])
            found = correlation([a + b for a, b in zip(less, old, strict=True)], old)
            if found is not None:
                looks.append(found)
                self._sites[name] = one.site

    def finish(self) -> None:
        for name, looks in self._looks.items():
            if looks:
                mean, most = sum(looks) / len(looks), max(looks)
                told = ProbabilityRatio(argument=name, looks=len(looks), mean=mean, most=most)
                self.inspection.recorder.revise(told, self._sites[name])


def correlation(a: list[float], b: list[float]) -> float | None:
    """Return how two series go together; None where one of them does not vary, or is not finite."""
    means = sum(a) / len(a), sum(b) / len(b)
    x, y = ([one - mean for one in each] for each, mean in zip((a, b), means, strict=True))
    sizes = dot(x, x), dot(y, y)
    varied = all(1e-6 * len(a) < one < math.inf for one in sizes)
    return dot(x, y) / math.sqrt(sizes[0] * sizes[1]) if varied else None
