"""What choices are drawn by: logits are wanted, and probabilities look like them."""

from __future__ import annotations

from typing import Any

from mlxprobe.agent.graph import lazy_graph
from mlxprobe.agent.graph.loss_classifier import LossKind
from mlxprobe.agent.inspectors.losses.loss_graph import is_amount
from mlxprobe.agent.intercept.events import CallEvent
from mlxprobe.agent.intercept.intercepts import Observe
from mlxprobe.agent.intercept.states import INSIDE, OURS
from mlxprobe.agent.introspection import call_site
from mlxprobe.agent.sampling.dispatcher import LAZY_AT_MOST, Inspection
from mlxprobe.agent.sampling.inspector import Inspector
from mlxprobe.protocol.facts.losses import ChosenByProbabilities

LOOKS, PLACES = 2, 16  # draws at a line; lines
LARGE = 1 << 20  # elements
SUM, ROUGH = 1e-4, 4e-3  # that a row of probabilities is off; of 16 bits, where there are several rows


class Choices(Inspector):
    """Look at the first draws of each line: at what their argument waits to be computed by, or at its numbers.

    Nothing is evaluated for it.
    """

    emits = (ChosenByProbabilities,)
    observes = (Observe("mlx.core.random.categorical", "_draws", never=OURS | INSIDE),)

    def __init__(self, inspection: Inspection) -> None:
        super().__init__(inspection)
        self._looks: dict[tuple[str, int], int] = {}

    def _draws(self, event: CallEvent) -> None:
        seen = self.inspection
        if len(self._looks) < PLACES and seen.recorder.lazy_steps <= LAZY_AT_MOST:
            logits, axis = event["logits"], event["axis"]
            seen.at_our_cost(self._look, logits, -1 if axis is None else axis)

    def _look(self, logits: Any, axis: int) -> None:
        site = call_site.calling()
        self._looks[site] = self._looks.get(site, 0) + 1
        if self._looks[site] > LOOKS or not 1 < logits.size <= LARGE:
            return
        drawn = LossKind(lazy_graph.dot(loss=logits))
        if drawn.is_likelihood() or (not drawn.found and sums_to_one(logits, axis)):
            self._looks[site] = LOOKS
            self.inspection.recorder.fact(ChosenByProbabilities(), site)


def sums_to_one(one: Any, axis: int) -> bool:
    """Tell whether an evaluated array holds probabilities, which differ, and are not all of them 0 or 1."""
    import mlx.core as mx

    if not is_amount(one):
        return False
    exact = one.dtype == mx.float32 or one.size == one.shape[axis]
    one = one.astype(mx.float32)
    off = mx.abs(mx.sum(one, axis=axis) - 1)
    varied = mx.max(mx.max(one, axis=axis) - mx.min(one, axis=axis))
    between = mx.any((one > 0) & (one < 1)).astype(mx.float32)
    off_most, least, most, inner = lazy_graph.numbers(mx.stack([mx.max(off), mx.min(one), varied, between]))
    return off_most < (SUM if exact else ROUGH) and least >= 0 and most > SUM and bool(inner)
