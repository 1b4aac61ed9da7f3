"""What a model's outputs depend on: some calls of it, made anew with other rows, other places, one input changed."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from types import CodeType
from typing import Any

from mlxprobe.agent.graph import lazy_graph
from mlxprobe.agent.inspectors.losses.loss_graph import unique
from mlxprobe.agent.inspectors.models.model_calls import Made
from mlxprobe.agent.introspection import isolated_import
from mlxprobe.agent.patching import static
from mlxprobe.agent.recording.gradient_call import Call
from mlxprobe.agent.replay.perturbation import CALLS as CALLED
from mlxprobe.agent.replay.perturbation import Found, Probe
from mlxprobe.agent.replay.sandbox import Refused, Sandbox
from mlxprobe.agent.replay.spreads import deviation
from mlxprobe.agent.sampling.dispatcher import Inspection
from mlxprobe.agent.sampling.inspector import Inspector, missing
from mlxprobe.agent.wire import bound
from mlxprobe.protocol.fact import Fact
from mlxprobe.protocol.facts.models import (
    CallNotRepeated,
    InputIdle,
    InputZero,
    ModesDiffer,
    OnePlace,
    OutputsAlike,
    OutputsCollapsed,
    RowsMixed,
)

CALLS = 2  # of a gradient call
SHUFFLED, ALONE = 8, 3  # rows that came again elsewhere; calls with a single one
SURE = 2  # looks, so many updates apart at least: what begins as zero is no more
TAUGHT = 129  # steps, after which outputs that are all alike are no beginning
BUILT = {RowsMixed, OnePlace}  # what a model is built like: whatever it has learned later
FLAT = 0.02  # of the targets' deviation
WIDE, UNLIKE = 8, 0.3  # numbers of an output; of inputs that differ
LATER, ALIKE = 64, 0.25  # steps; of the outputs' size: rows whose directions have a cosine of 0.94
FAR = 3.0  # of the outputs' own


class Dependence(Inspector):
    """Compare what a model returns with what it returns for other inputs.

    The state of the model and the random state are put back. A model whose call a second one could show
    is left alone, and so is one that is slow.
    """

    emits = (InputIdle, InputZero, ModesDiffer, OnePlace, OutputsAlike, OutputsCollapsed, RowsMixed)
    builds_on = ("Losses", "Heard", "Pairs", "Scales")
    shadows = True

    def __init__(self, inspection: Inspection) -> None:
        super().__init__(inspection)
        self._targets: list[Any] = []
        self._whole: list[tuple[str, Any]] = []  # whole numbers, one for each row, that are no targets
        self._data: list[Any] = []  # arrays of a gradient call's data, and those that models were given within it
        self._given: list[Any] = []
        self._seen: dict[Any, tuple[int, int, Any]] = {}  # looks, updates at the first, and what all have found
        self._settled: set[Any] = set()
        self._widths: dict[Any, float] = {}  # of a model's outputs, at the first look
        self._took_s: dict[CodeType, float] = {}  # by one call that was too slow for the run so far
        self._failed: dict[CodeType, str] = {}
        self._places: dict[Any, tuple[str, tuple[str, int]]] = {}  # of what was told, with the module

    def called(self, call: Call) -> None:
        import mlx.core as mx

        view = self.inspection.view
        self._targets = [one for _, _, one in view.targets]
        known = {id(one) for _, one in view.compared}
        named = [(name, one) for name, one in unique(call.data) if id(one) not in known and one.ndim == 1]
        self._whole = [(name, one) for name, one in named if mx.issubdtype(one.dtype, mx.integer)]

        self._data = [one for _, one in unique(call.data)]

    def forget(self) -> None:
        self._targets, self._whole, self._data, self._given = [], [], [], []

    def look(self, step: int) -> None:
        seen, targets, self._targets = self.inspection, self._targets, []
        heard = [one for one in seen.heard if one.outer and static.is_module(one.module)]
        seen.heard = []
        self._given = [one for made in heard for one in lazy_graph.leaves([made.args, made.kwargs])]
        several = len(heard) > 1 and all(one.module is heard[0].module for one in heard)
        self._data = self._data if several else []  # one call alone may make what another model is to judge
        for made in [] if seen.recorder.lazy_steps > 1 else heard[:CALLS]:
            try:
                self._probe(made, targets, step)
            except Refused as error:
                self._failed.setdefault(made.code, str(error))
        self._data, self._given = [], []

    def finish(self) -> None:
        """Tell of what could not be called anew, where nothing else was asked of it."""
        for code, why in self._failed.items():
            if not any(code is asked for _, asked, _ in self._seen):
                told = f"{code.co_name} could not be called again with other rows ({why})"
                site = code.co_filename, code.co_firstlineno
                facts = tuple(missing(type(self), [type(self)]))
                self.inspection.recorder.fact(CallNotRepeated(why=told, facts=facts), site)

    def _asks(self, probe: Probe, made: Made, targets: list[Any], step: int) -> dict[type[Fact], Callable[[], Found]]:
        """List by fact what is to be asked of a call."""
        asks: dict[type[Fact], Callable[[], Found]] = {InputIdle: probe.idle, OnePlace: probe.places}
        if any(one.ndim and one.shape[0] == probe.rows for one in targets):
            shuffled, alone = self.inspection.rows.moved >= SHUFFLED, self.inspection.alone >= ALONE
            told = {"shuffled": shuffled or alone, "ordered": not shuffled and alone}
            asks[RowsMixed] = functools.partial(probe.mixed, **told)
        if step >= TAUGHT:
            asks[OutputsAlike] = functools.partial(probe.spread, targets, FLAT)
            asks[ModesDiffer] = functools.partial(probe.apart, FAR)
        whole = [(name, one) for name, one in self._whole if not any(one is target for target in targets)]
        if whole:
            asks[InputZero] = functools.partial(probe.constant, whole)
        if self._data and (step >= LATER or who(made) not in self._widths):
            asks[OutputsCollapsed] = functools.partial(self._narrowed, probe, made, step)
        return asks

    def _probe(self, made: Made, targets: list[Any], step: int) -> None:
        sandbox = made.sandbox(self.inspection.nesting)
        if sandbox.obstacle():
            return
        probe = Probe(made.code, made.function, made.module, (made.args, made.kwargs), sandbox)
        asks = self._asks(probe, made, targets, step)
        asked = [ask for kind, ask in asks.items() if key(kind, made) not in self._settled]
        given = lazy_graph.leaves([made.module, made.args, made.kwargs, targets, [one for _, one in self._whole]])
        spares = self.inspection.looks.spares
        if not (probe.rows and asked and spares(CALLED * self._took_s.get(made.code, 0.0))):
            return
        if self.inspection.pending(given):
            return
        sandbox.run(self._ask, made, asked, probe, sandbox)

    def _ask(self, made: Made, asked: list[Callable[[], Found]], probe: Probe, sandbox: Sandbox) -> None:
        began, spares = bound.process_time(), self.inspection.looks.spares
        begun = probe.begin(spares)
        self._took_s[made.code] = 0.0 if begun else probe.took_s
        for turn, ask in enumerate(asked if begun else ()):
            if turn and not spares(bound.process_time() - began):
                break  # the rest is asked at a later look
            for kind, one in ask().items():
                if self._take(made, kind, one) and one is not None:
                    self._tell(made, kind, one[1], probe, sandbox)

    def _narrowed(self, probe: Probe, made: Made, step: int) -> Found:
        """Hold how far the outputs differ from row to row beside how far they did at the first look."""
        now = width(probe)
        first = self._widths.setdefault(who(made), now)
        if step < LATER or not 0 < now <= first or not all(self._is_given(one) for one in self._data):
            return {}
        return {OutputsCollapsed: (True, {"now": now, "first": first}) if now < min(ALIKE, 0.75 * first) else None}

    def _is_given(self, one: Any) -> bool:
        """Tell whether a model was given an array of the call's data: nothing is left then to compare outputs with."""
        import mlx.core as mx

        alike = [other for other in self._given if (other.shape, other.dtype) == (one.shape, one.dtype)]
        return any(not self.inspection.pending([one, other]) and bool(mx.array_equal(one, other)) for other in alike)

    def _take(self, made: Made, kind: type[Fact], found: Any) -> bool:
        """Tell whether each look has found it, so often that it is sure; what one has not is settled."""
        updates = self.inspection.recorder.updates
        looks, first, before = self._seen.get(key(kind, made), (0, updates, found))
        self._seen[key(kind, made)] = looks + 1, first, found
        same = found is not None and found[0] == before[0]
        sure = looks + 1 >= SURE and updates - first >= SURE
        if not same or (sure and kind in BUILT):
            self._settled.add(key(kind, made))
        if not same and key(kind, made) in self._places:
            self.inspection.recorder.revise(kind(looks=0), self._places[key(kind, made)][1])
        return same and sure

    def _tell(self, made: Made, kind: type[Fact], told: dict[str, Any], probe: Probe, sandbox: Sandbox) -> None:
        """Tell of it, at the function of the innermost module that does it by itself."""
        where = self._places.get(key(kind, made))
        if where is None:
            one = made
            if kind in (RowsMixed, InputIdle):
                with isolated_import.importable():
                    from mlxprobe.agent.inspectors.models import module_localization
                idle = next((array for called, array in probe.inputs if called in told.get("names", ())), None)
                calls, idle = module_localization.heard(made, sandbox, idle)
                one = (
                    module_localization.taking(calls, idle)
                    if idle is not None
                    else module_localization.mixing(calls, sandbox)
                ) or made
            where = type(one.module).__name__, (one.code.co_filename, one.code.co_firstlineno)
            self._places[key(kind, made)] = where
        fact = kind(**told, looks=self._seen[key(kind, made)][0], model=where[0])
        self.inspection.recorder.revise(fact, where[1])


def key(kind: type[Fact], made: Made) -> tuple[Any, ...]:
    """Name what is asked of the calls of one function of one class."""
    return kind, *who(made)


def who(made: Made) -> tuple[Any, ...]:
    """Name a function and the class that it is called on, which may be gone by the end of a trial."""
    return made.code, static.title(type(made.module))


def width(probe: Probe) -> float:
    """Return how far outputs of several numbers differ from row to row, of their size; 0 where no inputs differ."""
    mine = [one for one in probe.first if one.ndim == 2 and one.shape[0] == probe.rows and one.shape[1] >= WIDE]
    differ = any(unlike(one) > UNLIKE for _, one in probe.inputs)
    return max(map(unlike, mine), default=0.0) if differ else 0.0


def unlike(made: Any) -> float:
    """Return how far rows differ from one another, of their size."""
    import mlx.core as mx

    size = lazy_graph.number(mx.sqrt(mx.mean(mx.square(made.astype(mx.float32)))))
    return lazy_graph.number(mx.mean(deviation(made))) / size if 0 < size < math.inf else 0.0
