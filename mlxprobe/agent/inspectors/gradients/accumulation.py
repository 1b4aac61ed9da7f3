"""Gradients of several calls and the update that they end in: their sum, their mean, or not all of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from mlxprobe.agent.introspection import call_site, isolated_import
from mlxprobe.agent.sampling.dispatcher import Inspection
from mlxprobe.agent.sampling.gradient_ledger import Applied
from mlxprobe.agent.sampling.inspector import Inspector
from mlxprobe.agent.sampling.sketches import Sketch, last_of, sum_of, weights
from mlxprobe.protocol.facts.updates import GradientsAccumulated, GradientsDropped, NotCleared

CARRIED_IS_SURE = 2
LAST_IS_SURE = 3  # updates in a row that took the last of several equal calls alone
WHOLE = 2e-2  # by which a weight may differ from 1


class LeftOut:
    """Follow how many of its calls each update takes."""

    def __init__(self) -> None:
        self.usual = 0  # calls of an update that took all of them
        self._last = 0, 0, 0  # calls of an update that took the last of them alone, how many, and such updates in a row

    @property
    def awaits(self) -> bool:
        """Whether the next updates may leave calls out."""
        return self.usual > 1 or self._last[2] > 0

    def fact(
        self, taken: int, kinds: Sequence[object], read: Sequence[Sketch], at_rest: Callable[[], bool] = lambda: True
    ) -> GradientsDropped | None:
        """Take in how many of its last calls an update takes; return a fact where it leaves out others for sure.

        It takes as many as usual; or the last of as many calls as always, all at the same weights and of one kind. The
        gradients of those left out may never have been computed: only some calls are `read`.
        """
        every = len(kinds)
        alike = len(set(kinds)) == 1 and len({one.values for one in read}) == len(read)
        times = self._last[2] if self._last[:2] == (every, taken) else 0
        same = 0 < taken < every and alike and at_rest()
        self._last = (every, taken, times + 1) if same else (0, 0, 0)
        if taken == every:
            self.usual = every
        sure = self._last[2] >= LAST_IS_SURE or 0 < taken == self.usual < every
        return GradientsDropped(calls=every - taken, of=every, at_end=False) if sure else None


class Accumulation(Inspector):
    """Explain each update's gradients by its calls', and by the gradients of the update before."""

    emits = (GradientsAccumulated, GradientsDropped, NotCleared)
    builds_on = ("Provenance",)
    shadows = True

    def __init__(self, inspection: Inspection) -> None:
        super().__init__(inspection)
        self._handed = call_site.NOWHERE  # the end of the user's function that hands out what is accumulated
        self._loop = call_site.NOWHERE  # the line that led to the last update, in the function that made its calls too
        self._left_out = LeftOut()
        self._before: tuple[int, Sketch | None] = 0, None  # the last update, and what it was given
        self._carried = 0  # updates in a row that were given all of the one before as well

    def updating(self, model: Any, optimizer: Any, gradients: Any) -> None:
        calls = self.inspection.view.applied[-1].calls
        if len(calls) > 1:
            self._loop = self.inspection.recorder.loop_site = calls[-1].loop
            if not self._left_out.usual:
                with isolated_import.importable():
                    from mlxprobe.agent.recording import value_provenance
                self._handed = value_provenance.returned("gradients")

    def look(self, step: int) -> None:
        update = next((one for one in reversed(self.inspection.view.applied) if one.calls), None)
        if update is not None and update.is_as_computed():  # neither summed nor carried
            self._before, self._carried = (0, None), 0
            return
        given = update.read(self.inspection.pending) if update is not None else None
        if update is None or given is None:
            return
        read = update.read_calls(self.inspection.pending, update.calls)
        known = [one for one in read if one is not None]
        if read[-1] is None:
            return
        if len(known) < len(read):  # nothing has computed the others, so that they are not in the update
            known = [read[-1]]
        else:
            self._follow_carried(update, given, known)
        taken, share = last_of(given, known)
        summed = taken == len(read)
        if len(read) > 1 and not (summed and any(one.code is not update.calls[0].code for one in update.calls)):
            self._judge(update, known, taken, share)  # a sum of tasks is meant

    def _judge(self, update: Applied, read: list[Sketch], taken: int, share: float) -> None:
        """Report an update that is the sum of all its calls, or leaves some of them out."""
        recorder, every = self.inspection.recorder, len(update.calls)
        if fact := self._left_out.fact(taken, [one.kind for one in update.calls], read, lambda: self._at_rest(update)):
            recorder.fact(fact, self._loop)
        if taken == every:
            place, seen = call_site.blamed(self._handed, update.site)
            scalings = min(one.scalings for one in self.inspection.view.computed)
            kind = update.optimizer_kind
            made = GradientsAccumulated(seen=seen, calls=every, share=share, scalings=scalings, optimizer=kind)
            recorder.fact(made, place)

    def _at_rest(self, update: Applied) -> bool:
        """Tell whether a parameter was the same in all calls: a program that perturbs it needs each gradient."""
        parameters = [one.parameter.read(self.inspection.pending) for one in update.calls]
        return len({one and one.values for one in parameters}) == 1 and parameters[0] is not None

    def _follow_carried(self, update: Applied, given: Sketch, calls: list[Sketch]) -> None:
        """Report updates that are given what the one before was given, whole, and the new gradients on top of it."""
        recorder = self.inspection.recorder
        (updates, before), self._before = self._before, (recorder.updates, given)
        made = weights(given, [sum_of(calls), before]) if before and updates + 1 == recorder.updates else None
        self._carried = self._carried + 1 if made and made[0] > 0 and abs(made[1] - 1) <= WHOLE else 0
        if self._carried == CARRIED_IS_SURE:
            place, seen = call_site.blamed(self._handed, update.site)
            recorder.fact(NotCleared(calls=len(calls), seen=seen), place)
