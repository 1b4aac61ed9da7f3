"""Updates of a model that are given the gradients of another one, while its own are never computed."""

from __future__ import annotations

from mlxprobe.agent.sampling.dispatcher import Inspection
from mlxprobe.agent.sampling.gradient_ledger import Computed
from mlxprobe.agent.sampling.inspector import Inspector
from mlxprobe.agent.sampling.sketches import share
from mlxprobe.protocol.facts.updates import GradientsOfAnother

SURE = 2  # looks
TRIES = 8  # looks, of models whose own gradients are pending


class Foreign(Inspector):
    """Explain an update's gradients by other models' calls, in its own step and the last one."""

    emits = (GradientsOfAnother,)
    builds_on = ("Provenance",)

    def __init__(self, inspection: Inspection) -> None:
        super().__init__(inspection)
        self._last: list[Computed] = []  # of the step before, where this one was asked for
        self._tries = self._looks = 0

    def forget(self) -> None:
        self._last = []

    def look(self, step: int) -> None:
        view, pending, last = self.inspection.view, self.inspection.pending, self._last
        self.forget()
        update = view.applied[-1] if view.applied and self._tries < TRIES else None
        own = [one for one in view.computed if update is not None and one.model == update.model != 0]
        if update is None or not own:
            return
        given = update.read(pending)
        if given is not None and not any(update.read_calls(pending, own)):
            self._tries += 1
            others = [one for one in (*view.computed, *last) if one.model not in (update.model, 0)]
            pairs = zip(others, update.read_calls(pending, others), strict=True)
            found = [one for one, read in pairs if read is not None and share(given, [read]) is not None]
            self._looks += bool(found)
            if found and self._looks >= SURE:
                self._tries = TRIES
                told = GradientsOfAnother(model=own[0].model_kind, other=found[0].model_kind)
                self.inspection.recorder.fact(told, update.site)
        if 0 < self._tries < TRIES:
            self.inspection.wanted, self._last = True, view.computed
