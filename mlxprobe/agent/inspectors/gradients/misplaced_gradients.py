"""Gradients that an update is given, and that are not of its own calls: given before, or another model's."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

from mlxprobe.agent.introspection import call_site
from mlxprobe.agent.sampling.dispatcher import Inspection
from mlxprobe.agent.sampling.gradient_ledger import Applied, Computed
from mlxprobe.agent.sampling.inspector import Inspector
from mlxprobe.agent.sampling.sketches import share
from mlxprobe.protocol.facts.updates import AppliedAgain, GradientsOfAnother

SURE = 2  # looks; in a compiled function one trace is every step
TRIES = 8  # looks, of models whose own gradients are pending


class Misplaced(Inspector):
    """Explain an update's gradients by those of the update before and by other models' calls, over two steps."""

    emits = (AppliedAgain, GradientsOfAnother)
    builds_on = ("Provenance",)

    def __init__(self, inspection: Inspection) -> None:
        super().__init__(inspection)
        self._last: Applied | None = None  # of the step before
        self._computed: list[Computed] = []  # in the step before, where this one was asked for
        self._again = self._tries = self._others = 0

    def traced(self, model: Any, gradients: Any) -> None:
        """Compare identities: no array has a value here. What the model held before is kept with the trace."""
        made = [
            Applied(one.model, one.optimizer, one.gradients, site=one.site, weights=one.weights)
            for one in self.inspection.nesting.tracing[-1].updated
        ]
        before = next((one for one in made[:-1] if made[-1].follows(one) and made[-1].first[1] is one.first[1]), None)
        if before is not None:
            self._tell_again(made[-1], before)

    def forget(self) -> None:
        self._last, self._computed = None, []

    def look(self, step: int) -> None:
        last, computed = self._last, self._computed
        self.forget()
        if updates := self.inspection.view.applied:
            self._compare(updates, last)
            if self._tries < TRIES:
                self._look_for_others(updates[-1], computed)

    def _compare(self, updates: list[Applied], last: Applied | None) -> None:
        """Compare each update of a step with the one before."""
        for one, after in pairwise(updates):
            given, before = (each.read(self.inspection.pending) for each in (after, one))
            again = share(given, [before]) if after.follows(one) and given and before else None
            if again is not None and again > 0:
                self._count(after, one)
                return
        if last is not None and updates[0].first[1] is last.first[1] and updates[0].follows(last):
            self._count(updates[0], last)
        given = updates[-1].read(self.inspection.pending)
        self._last = updates[-1].brief() if given is not None and any(given.values) else None

    def _count(self, after: Applied, before: Applied) -> None:
        self._again += 1
        if self._again >= SURE:
            self._tell_again(after, before)

    def _tell_again(self, after: Applied, before: Applied) -> None:
        first = "" if after.site == before.site else call_site.brief(before.site)
        fact = AppliedAgain(before=first, others=after.optimizer != before.optimizer)
        self.inspection.recorder.fact(fact, after.site)

    def _look_for_others(self, update: Applied, computed: list[Computed]) -> None:
        """Report updates of a model that are given another one's gradients, while its own are never computed."""
        view, pending = self.inspection.view, self.inspection.pending
        own = [one for one in view.computed if one.model == update.model != 0]
        given = update.read(pending) if own else None
        if given is not None and not any(update.read_calls(pending, own)):
            self._tries += 1
            others = [one for one in (*view.computed, *computed) if one.model not in (update.model, 0)]
            pairs = zip(others, update.read_calls(pending, others), strict=True)
            found = [one for one, read in pairs if read is not None and share(given, [read]) is not None]
            self._others += bool(found)
            if found and self._others >= SURE:
                self._tries = TRIES
                fact = GradientsOfAnother(model=own[0].model_kind, other=found[0].model_kind)
                self.inspection.recorder.fact(fact, update.site)
        if own and 0 < self._tries < TRIES:
            self.inspection.wanted, self._computed = True, view.computed
