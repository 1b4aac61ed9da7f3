"""Whether what turned out well is made more likely: the gradient by each choice's likelihood, and how good it was."""

from __future__ import annotations

import math
import re
from typing import Any

from mlxprobe.agent.graph import lazy_graph
from mlxprobe.agent.inspectors.losses.loss_graph import is_amount, unique
from mlxprobe.agent.recording.gradient_call import Call
from mlxprobe.agent.sampling.dispatcher import Inspection
from mlxprobe.agent.sampling.inspector import Inspector
from mlxprobe.agent.sampling.step_view import taken
from mlxprobe.protocol.facts.losses import Worth
from mlxprobe.protocol.least_squares import dot, length

GOOD = r"(?i)adv|return|reward|gain|score|benefit"
BAD = r"(?i)cost|loss|penal|regret|old|ref|log|prob|neg"
CLEAR = 0.5  # correlation


class Worths(Inspector):
    """Hold what came back for the likelihood of each choice beside the argument that says how good it was."""

    emits = (Worth,)
    builds_on = ("Shares",)
    shadows = True

    def __init__(self, inspection: Inspection) -> None:
        super().__init__(inspection)
        self._held: list[tuple[list[Any], str, Any]] = []
        self._looks: dict[tuple[str, int], list[float]] = {}

    def called(self, call: Call) -> None:
        taps = [one for one in taken(self.inspection.view.taps) if one.sign]
        for name, one in unique(call.data) if taps else ():
            if re.search(GOOD, name) and not re.search(BAD, name) and is_amount(one) and one.size > 1:
                self._held.append((taps, name, one))

    def forget(self) -> None:
        self._held = []

    def look(self, step: int) -> None:
        held = self._held
        self.forget()
        for taps, name, worth in held:
            if not self.inspection.pending([worth, *(one.weights for one in taps)]):
                self._compare(taps, name, worth)

    def _compare(self, taps: list[Any], name: str, worth: Any) -> None:
        """Keep the best of all that was picked: what a choice is compared with is made less likely, rightly."""
        along = [-tap.sign * one for tap in taps if (one := _along(tap.weights, worth)) is not None]
        if not along:
            return
        site = taps[-1].site
        looks = self._looks.setdefault(site, [])
        looks.append(max(along))
        self.inspection.recorder.revise(
            Worth(
                argument=name,
                looks=len(looks),
                better=sum(one > CLEAR for one in looks),
                worse=sum(one < -CLEAR for one in looks),
            ),
            site,
        )


def _along(weights: Any, worth: Any) -> float | None:
    """Return how far weights, summed for each worth, go along with the worths: 1 where they are multiples."""
    import mlx.core as mx

    if not weights.size or weights.size % worth.size:
        return None
    each = lazy_graph.numbers(mx.sum(weights.reshape(worth.size, -1).astype(mx.float32), axis=1))
    worths = lazy_graph.numbers(worth)
    size = length(each) * length(worths)
    return dot(each, worths) / size if 0 < size < math.inf else None
