"""Gradients that an optimizer is given, and has been given before."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

from mlxprobe.agent.graph import lazy_graph
from mlxprobe.agent.inspectors.gradients.accumulation import ELEMENTS, SMALL, share_of_sum
from mlxprobe.agent.introspection import call_site
from mlxprobe.agent.patching import static
from mlxprobe.agent.sampling.dispatcher import Inspection
from mlxprobe.agent.sampling.inspector import Inspector
from mlxprobe.protocol.facts.updates import AppliedAgain

SURE = 2  # looks; in a compiled function one trace is every step


class Given:
    """One update: a small gradient, and which array its parameter was then."""

    gradient: Any

    def __init__(self, held: Any, optimizer: Any, gradients: Any, model: Any, site: call_site.Site) -> None:
        named = lazy_graph.named_leaves(gradients)
        small = [(one.size, path, one) for path, one in named if ELEMENTS <= one.size <= SMALL]
        self.path, self.gradient = min(small, key=lambda one: one[:2])[1:] if small else ("", None)
        self.parameter = id(
            dict(lazy_graph.named_leaves(held)).get(self.path)
        )  # kept, it would not be updated in place
        self.optimizer = id(optimizer)
        self.model = id(model) if static.is_module(model) else 0
        self.site = site

    def follows(self, other: Given) -> bool:
        """Tell whether it updates what another has updated: a trial that is taken back finds its parameter again.

        Another optimizer does so where it is given the very same array, for the very same model.
        """
        same = self.optimizer == other.optimizer and (self.model == other.model or 0 in (self.model, other.model))
        same = same or (self.gradient is other.gradient and self.model == other.model != 0)
        return self.gradient is not None and same and self.path == other.path and self.parameter != other.parameter

    def repeats(self, other: Given) -> bool:
        """Tell whether it is given the other's gradient, or a multiple."""
        one, before = lazy_graph.numbers(self.gradient), lazy_graph.numbers(other.gradient)
        share = share_of_sum([before], one) if len(one) == len(before) else None
        return share is not None and share > 0


class Repeats(Inspector):
    """Compare what the updates of a step are given with one another, and with what the last step's were."""

    emits = (AppliedAgain,)

    def __init__(self, inspection: Inspection) -> None:
        super().__init__(inspection)
        self._updates: list[Given] = []  # of this step
        self._last: Given | None = None  # of the step before
        self._looks = 0

    def updating(self, model: Any, optimizer: Any, gradients: Any) -> None:
        self._updates.append(Given(model, optimizer, gradients, model, call_site.calling()))

    def traced(self, model: Any, gradients: Any) -> None:
        """Compare identities: no array has a value here. What the model held before is kept with the trace."""
        every = self.inspection.nesting.tracing[-1].updated
        if len(every) < 2:
            return
        made = [Given(one.weights, one.optimizer, one.gradients, one.model, one.site) for one in every]
        before = next((one for one in made[:-1] if made[-1].follows(one) and made[-1].gradient is one.gradient), None)
        if before is not None:
            self._tell(made[-1], before)

    def forget(self) -> None:
        self._updates, self._last = [], None

    def look(self, step: int) -> None:
        updates, last = self._updates, self._last
        self.forget()
        for one, after in pairwise(updates):
            if after.follows(one) and not self.inspection.pending([after.gradient, one.gradient]):
                if not after.repeats(one):
                    continue
                self._looks += 1
                if self._looks >= SURE:
                    self._tell(after, one)
                return
        if last is not None and updates and updates[0].gradient is last.gradient and updates[0].follows(last):
            self._looks += any(lazy_graph.numbers(last.gradient))
            if self._looks >= SURE:
                self._tell(updates[0], last)
        if updates and updates[-1].gradient is not None and not self.inspection.pending([updates[-1].gradient]):
            self._last = updates[-1]

    def _tell(self, after: Given, before: Given) -> None:
        first = "" if after.site == before.site else call_site.brief(before.site)
        told = AppliedAgain(before=first, others=after.optimizer != before.optimizer)
        self.inspection.recorder.fact(told, after.site)
