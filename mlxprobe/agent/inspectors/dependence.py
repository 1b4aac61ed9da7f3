"""What a model's outputs depend on: some calls of it, made anew with other rows, other places, one input changed."""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Callable
from typing import Any

from mlxprobe.agent import graph
from mlxprobe.agent.call import Call
from mlxprobe.agent.inspection import Inspection, Inspector
from mlxprobe.agent.inspectors.heard import Made, put_back
from mlxprobe.agent.inspectors.losses import TARGETS
from mlxprobe.agent.probing import Found, Probe

CALLS = 2  # of a gradient call
SHUFFLED = 8  # rows that came again elsewhere
SURE = 2  # looks, so many updates apart at least: what begins as zero is no more
TAUGHT = 129  # steps, after which outputs that are all alike are no beginning
BUILT = {"rows mixed", "one place"}  # what a model is built like: whatever it has learned later
FLAT = 0.02  # of the targets' deviation


class Dependence(Inspector):
    """Compare what a model returns with what it returns for other inputs.

    The model's state, the objects in it and the random state are put back. A model whose call a second one could show
    is left alone, and so is one that is slow.
    """

    shadows = True

    def __init__(self, inspection: Inspection) -> None:
        super().__init__(inspection)
        self._targets: list[Any] = []
        self._seen: dict[Any, tuple[int, int, Any]] = {}  # looks, updates at the first, and what all have found
        self._settled: set[Any] = set()

    def called(self, call: Call) -> None:
        self._targets = [one for _, _, one in self.inspection.looked.get(TARGETS, [])]

    def forget(self) -> None:
        self._targets = []

    def look(self, step: int) -> None:
        seen, targets = self.inspection, self._targets
        heard = [one for one in seen.heard if one.outer and hasattr(one.module, "modules")]
        seen.heard, self._targets = [], []
        for made in [] if seen.nesting.talks or seen.recorder.lazy_steps > 1 else heard[:CALLS]:
            with contextlib.suppress(Exception):  # it cannot be called anew, or not with what is changed
                self._probe(made, targets, step)

    def _probe(self, made: Made, targets: list[Any], step: int) -> None:
        if made.effects is not None and made.effects.found:
            return
        probe = Probe(made.code, made.function, made.module, (made.args, made.kwargs))
        asks: dict[str, Callable[[], Found]] = {"input idle": probe.idle, "one place": probe.places}
        if any(one.ndim and one.shape[0] == probe.rows for one in targets):
            asks["rows mixed"] = functools.partial(probe.mixed, shuffled=self.inspection.shuffled >= SHUFFLED)
        if step >= TAUGHT:
            asks["outputs alike"] = functools.partial(probe.spread, targets, FLAT)
        asked = [ask for name, ask in asks.items() if key(name, made) not in self._settled]
        given = graph.leaves([made.module, made.args, made.kwargs, targets])
        if not (probe.rows and asked) or self.inspection.pending(given):
            return
        with put_back([made.module, *([] if made.effects is None else made.effects.changed)]) as (restart, _):
            for ask in asked if probe.begin(restart) else ():
                for name, one in ask().items():
                    self._take(made, name, one)

    def _take(self, made: Made, name: str, found: Any) -> None:
        """Tell of what each look has found; what one has not is settled."""
        code, recorder = made.code, self.inspection.recorder
        looks, first, before = self._seen.get(key(name, made), (0, recorder.updates, found))
        self._seen[key(name, made)] = looks + 1, first, found
        if found is None or found[0] != before[0]:
            self._settled.add(key(name, made))
            if looks:
                recorder.revise(name, (code.co_filename, code.co_firstlineno), looks=0)
        elif looks + 1 >= SURE and recorder.updates - first >= SURE:
            told = {**found[1], "looks": looks + 1, "model": type(made.module).__name__}
            recorder.revise(name, (code.co_filename, code.co_firstlineno), **told)
            if name in BUILT:
                self._settled.add(key(name, made))


def key(name: str, made: Made) -> tuple[Any, ...]:
    """Name what is asked of the calls of one function of one class."""
    return name, made.code, type(made.module)
