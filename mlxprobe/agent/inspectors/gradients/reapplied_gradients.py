"""Gradients that an optimizer is given, and has been given before."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

from mlxprobe.agent.introspection import call_site
from mlxprobe.agent.sampling.dispatcher import Inspection
from mlxprobe.agent.sampling.gradient_ledger import Applied
from mlxprobe.agent.sampling.inspector import Inspector
from mlxprobe.agent.sampling.sketches import share
from mlxprobe.protocol.facts.updates import AppliedAgain

SURE = 2  # looks; in a compiled function one trace is every step


class Repeats(Inspector):
    """Explain each update's gradients by those of the update before, in its own step and the last one."""

    emits = (AppliedAgain,)
    builds_on = ("Provenance",)

    def __init__(self, inspection: Inspection) -> None:
        super().__init__(inspection)
        self._last: Applied | None = None  # of the step before
        self._looks = 0

    def traced(self, model: Any, gradients: Any) -> None:
        """Compare identities: no array has a value here. What the model held before is kept with the trace."""
        made = [
            Applied(one.model, one.optimizer, one.gradients, site=one.site, weights=one.weights)
            for one in self.inspection.nesting.tracing[-1].updated
        ]
        before = next((one for one in made[:-1] if made[-1].follows(one) and made[-1].first[1] is one.first[1]), None)
        if before is not None:
            self._tell(made[-1], before)

    def forget(self) -> None:
        self._last = None

    def look(self, step: int) -> None:
        updates, last, self._last = self.inspection.view.applied, self._last, None
        for one, after in pairwise(updates):
            given, before = (each.read(self.inspection.pending) for each in (after, one))
            again = share(given, [before]) if after.follows(one) and given and before else None
            if again is not None and again > 0:
                self._count(after, one)
                return
        if last is not None and updates and updates[0].first[1] is last.first[1] and updates[0].follows(last):
            self._count(updates[0], last)
        given = updates[-1].read(self.inspection.pending) if updates else None
        self._last = updates[-1] if given is not None and not given.empty else None

    def _count(self, after: Applied, before: Applied) -> None:
        self._looks += 1
        if self._looks >= SURE:
            self._tell(after, before)

    def _tell(self, after: Applied, before: Applied) -> None:
        first = "" if after.site == before.site else call_site.brief(before.site)
        told = AppliedAgain(before=first, others=after.optimizer != before.optimizer)
        self.inspection.recorder.fact(told, after.site)
