"""Fill the ledger of a step: sketches of every computed gradient, and of the gradients that each update is given."""

from __future__ import annotations

from typing import Any

from mlxprobe.agent.graph import lazy_graph
from mlxprobe.agent.intercept.events import CallEvent
from mlxprobe.agent.intercept.intercepts import Observe
from mlxprobe.agent.intercept.states import OURS, SAMPLED, TRACE
from mlxprobe.agent.introspection import call_site
from mlxprobe.agent.recording.gradient_call import Call
from mlxprobe.agent.sampling.gradient_ledger import Applied, Clip, Computed
from mlxprobe.agent.sampling.inspector import Inspector


class Provenance(Inspector):
    """Enter gradient calls, clippings by norm and updates into the view."""

    observes = (
        Observe("mlx.optimizers.optimizers.clip_grad_norm", "_clips", after=True, needs=SAMPLED, never=OURS | TRACE),
    )
    builds_on = ("Losses",)
    shadows = True

    def called(self, call: Call) -> None:
        self.inspection.view.computed.append(Computed(call, self.inspection.view.scalings))

    def _clips(self, event: CallEvent) -> None:
        if self.inspection.home.here():
            computed = self.inspection.view.computed
            self.inspection.view.clip = Clip(event, computed[-1].gradients.arrays if computed else ())

    def updating(self, model: Any, optimizer: Any, gradients: Any) -> None:
        view = self.inspection.view
        waiting = [one for one in view.computed if not one.applied]
        calls = [one for one in waiting if one.model == id(model)] or [one for one in waiting if not one.model]
        for one in calls:
            one.applied = True
        if len(calls) == 1:  # nothing to compare its parameter with: it may be computed in place
            calls[0].parameter.arrays.clear()
        weights = dict(lazy_graph.named_leaves(model))
        made = Applied(model, optimizer, gradients, site=call_site.calling(), weights=weights, calls=calls)
        if view.clip is not None:
            made.clipped(view.clip, set(map(id, lazy_graph.leaves(gradients))))
        view.applied.append(made)

    def forget(self) -> None:
        view = self.inspection.view
        view.computed, view.applied, view.clip = [], [], None
