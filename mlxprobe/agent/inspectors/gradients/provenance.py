"""Fill the ledger of a step: sketches of every computed gradient, and of the gradients that each update is given."""

from __future__ import annotations

from typing import Any

from mlxprobe.agent.graph import lazy_graph
from mlxprobe.agent.intercept.events import CallEvent
from mlxprobe.agent.intercept.intercepts import Observe
from mlxprobe.agent.intercept.states import OURS, SAMPLED
from mlxprobe.agent.introspection import call_site
from mlxprobe.agent.recording.gradient_call import Call
from mlxprobe.agent.sampling.dispatcher import Inspection
from mlxprobe.agent.sampling.gradient_ledger import Applied, Computed
from mlxprobe.agent.sampling.inspector import Inspector


class Provenance(Inspector):
    """Enter gradient calls and updates into the view. MLX's clipping by norm is undone: its factor would hide a sum."""

    observes = (Observe("mlx.optimizers.optimizers.clip_grad_norm", "_clips", after=True, needs=SAMPLED, never=OURS),)
    builds_on = ("Losses",)
    shadows = True

    def __init__(self, inspection: Inspection) -> None:
        super().__init__(inspection)
        self._unclipped: dict[str, tuple[Any, Any]] = {}  # by path: after clipping, and before

    def called(self, call: Call) -> None:
        self.inspection.view.computed.append(Computed(call, self.inspection.view.scalings))

    def _clips(self, event: CallEvent) -> None:
        if self.inspection.home.here() and self.inspection.view.computed:
            after, before = (dict(lazy_graph.named_leaves(one)) for one in (event.result[0], event["grads"]))
            few = self.inspection.view.computed[-1].gradients.arrays
            self._unclipped = {path: (after[path], before[path]) for path in few if path in after and path in before}

    def updating(self, model: Any, optimizer: Any, gradients: Any) -> None:
        view = self.inspection.view
        waiting = [one for one in view.computed if not one.applied]
        calls = [one for one in waiting if one.model == id(model)] or [one for one in waiting if not one.model]
        for one in calls:
            one.applied = True
        weights = dict(lazy_graph.named_leaves(model))
        made = Applied(model, optimizer, gradients, site=call_site.calling(), weights=weights, calls=calls)
        made.unclip(self._unclipped)
        view.applied.append(made)
        if len(calls) == 1:  # nothing to compare its parameter with: it may be computed in place
            calls[0].parameter.arrays.clear()

    def look(self, step: int) -> None:
        self._unclipped = {}

    def forget(self) -> None:
        self._unclipped = {}
        self.inspection.view.computed, self.inspection.view.applied = [], []
