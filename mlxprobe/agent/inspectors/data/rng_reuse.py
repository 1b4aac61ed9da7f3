"""Random numbers that come again: the seed set, or one key used, at every step."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from mlxprobe.agent.graph import lazy_graph
from mlxprobe.agent.graph.dataflow import LossGraph
from mlxprobe.agent.intercept.events import CallEvent
from mlxprobe.agent.intercept.intercepts import Observe
from mlxprobe.agent.intercept.states import GRADIENT, INSIDE, OURS, SAMPLED, TRACE
from mlxprobe.agent.introspection import call_site
from mlxprobe.agent.recording.gradient_call import Call
from mlxprobe.agent.sampling.dispatcher import Inspection
from mlxprobe.agent.sampling.inspector import Inspector
from mlxprobe.protocol.facts.compilation import Seeded

DRAWING = (
    *("normal", "uniform", "bernoulli", "randint", "categorical", "gumbel"),
    *("truncated_normal", "permutation", "laplace", "multivariate_normal"),
)
WITHIN = Observe("", "_draws", after=True, needs=GRADIENT, never=OURS | INSIDE)
OUTSIDE = Observe("", "_draws_outside", after=True, needs=SAMPLED, never=GRADIENT | TRACE | OURS | INSIDE)
SURE = 4  # steps in a row
PLACES = 32
FEW = 16  # operations, that a key is split off another by
ARRAYS = 8  # of a call's data


class Run:
    """A value that was used at one line, in how many steps in a row."""

    def __init__(self, value: Any) -> None:
        self.value = value
        self.step = -1
        self.steps = 0
        self.given = 0  # looks at which a gradient call was given what was drawn, and more
        self.drawn = False  # after it, within a gradient: what is drawn elsewhere may be a validation's
        self.shape: tuple[int, ...] = ()  # of what was
        self.of_data = False  # whether some of a call's data have that shape


class Draws(Inspector):
    """Count the steps in a row at which one line sets the same seed, or draws with the same key within a gradient.

    A seed counts where a gradient call draws with it, or is given what is drawn with it.
    """

    emits = (Seeded,)
    observes = (
        Observe("mlx.core.random.seed", "_seeds_anew"),
        *(one._replace(function=f"mlx.core.random.{name}") for name in DRAWING for one in (WITHIN, OUTSIDE)),
    )

    def __init__(self, inspection: Inspection) -> None:
        super().__init__(inspection)
        self._seeds: dict[tuple[str, int], Run] = {}
        self._keys: dict[tuple[str, int], Run] = {}
        self._latest = call_site.NOWHERE  # where a seed was set last
        self._traced: dict[tuple[str, int], Run] = {}  # seeds that are set in compiled functions
        self._outside: dict[tuple[str, int], Run] = {}  # keys that are used between gradient calls
        self._compares = 4 * SURE  # of keys by their numbers, that are left
        self._drawn: list[tuple[Any, Run, tuple[str, int]]] = []  # with one of the step before, up to the next call

    def _seeds_anew(self, event: CallEvent) -> None:
        seen = self.inspection
        if not seen.busy and not seen.inside and seen.recorder.gradients:
            self._set(event["seed"])
        elif seen.tracing:
            self._traced[call_site.calling()] = Run(event["seed"])

    def called(self, call: Call) -> None:
        """See whether the data of a call wait to be drawn, with the seed that was set last."""
        drawn, self._drawn = self._drawn, []
        shapes = [tuple(one.shape) for one in lazy_graph.leaves(call.data)[:ARRAYS] if one.ndim > 1]
        for run in self._keys.values():
            run.of_data |= run.shape in shapes
        if drawn:
            self._look_for(drawn, call)
        recent = self._seeds.get(self._latest)
        if recent is None or recent.drawn or self.inspection.inside or self.inspection.recorder.lazy_steps > 1:
            return
        data = lazy_graph.leaves(call.data)[:ARRAYS]
        recent.drawn = bool(data) and "RandomBits" in lazy_graph.drawn(data)

    def _look_for(self, drawn: list[tuple[Any, Run, tuple[str, int]]], call: Call) -> None:
        """See whether a call is given numbers that were drawn with one key again and again, one for each of its own.

        Whatever has another shape may be a table of what the data are made by, and there is to be more data than that.
        """
        data = [one for one in lazy_graph.leaves(call.data)[:ARRAYS] if one.size > 1]
        for result, run, site in drawn:
            mine = [one.shape == result.shape and (one is result or is_made_of(one, result)) for one in data]
            run.given += any(mine) and not all(mine)
            if run.given == SURE:
                self.inspection.recorder.fact(Seeded(what="drawn", value=""), site)

    def _set(self, value: Any) -> None:
        self._latest = call_site.calling()
        run = follow(self._seeds, call_site.calling(), value, self.inspection.recorder.step, lambda a, b: bool(a == b))
        if run is not None:
            self._tell(run, "seed")

    def _draws(self, event: CallEvent) -> None:
        seen, key = self.inspection, event["key"]
        if key is None:
            for run in [*self._seeds.values(), *self._traced.values()]:
                run.drawn = True
        elif not seen.tracing:
            used = follow(self._keys, call_site.calling(), key, seen.recorder.step, self._is_again)
            if used is not None:
                used.drawn, used.shape = True, tuple(event.result.shape)
                self._tell(used, "key")

    def _draws_outside(self, event: CallEvent) -> None:
        key = event["key"]
        if key is not None and self.inspection.recorder.gradients:
            run = self._outside.setdefault(call_site.calling(), Run(key))
            run.value = key if run.value is key or is_equal(run.value, key) else None
            if run.value is not None and len(self._drawn) < PLACES:
                self._drawn.append((event.result, run, call_site.calling()))

    def _is_again(self, before: Any, key: Any) -> bool:
        """Tell whether a key is the one of the step before; one that a call is given is another object each time.

        By its numbers where hardly anything has to be computed for them, and a few times.
        """
        if before is key or before is None or not self._compares:
            return before is key
        self._compares -= 1
        return bool(self.inspection.at_our_cost(is_equal, before, key))

    def _tell(self, run: Run, what: str) -> None:
        if run.steps >= SURE and run.drawn:
            run.steps = -(10**9)  # once is enough
            value = str(run.value) if what == "seed" else ""
            self.inspection.recorder.fact(Seeded(what=what, value=value, of_data=run.of_data), call_site.calling())

    def finish(self) -> None:
        for site, run in self._traced.items() if self.inspection.recorder.step >= SURE else ():
            if run.drawn:
                self.inspection.recorder.fact(Seeded(what="seed", value=str(run.value)), site)


def is_equal(one: Any, other: Any) -> bool:
    """Tell whether two keys have the same numbers, where they have them, or are split off what has."""
    import mlx.core as mx

    known = one is not None and lazy_graph.pending([one, other], copies=False) <= FEW
    return known and bool(mx.array_equal(one, other).item())


def is_made_of(one: Any, drawn: Any) -> bool:
    """Tell whether an array waits to be computed from what was drawn."""
    return LossGraph(lazy_graph.dot(loss=one, drawn=drawn), frozenset({"drawn"})).reaches("drawn")


def follow(
    runs: dict[tuple[str, int], Run],
    site: tuple[str, int],
    value: Any,
    step: int,
    same: Callable[[Any, Any], bool],
) -> Run | None:
    """Count one more step at a place, where the value is the one of the step before; None within the same step."""
    run = runs.get(site)
    broken = run is None or not same(run.value, value) or not 0 <= step - run.step <= 1
    if broken and (len(runs) < PLACES or site in runs):
        runs[site] = run = Run(value)
    if run is None or run.step == step:
        return None
    run.step = step
    run.steps += 1
    return run
