"""What a trace has made constant although it changes: random keys, and arrays that are not among the inputs."""

from __future__ import annotations

import contextlib
import copy
import math
import weakref
from collections.abc import Callable, Iterator
from typing import Any

from mlxprobe.agent import graph
from mlxprobe.agent.inspection import Inspection
from mlxprobe.agent.looks import is_landmark
from mlxprobe.agent.nesting import Trace
from mlxprobe.agent.trees import holds

NAMED = 64  # arrays that are looked for in a trace
COMPARED = 8


class Constants:
    """Compare what a compiled function was traced with and what it would be given now."""

    def __init__(self, inspection: Inspection, site: tuple[str, int], given: list[Any]) -> None:
        self._inspection = inspection
        self._recorder = inspection.recorder
        self._site = site
        self._given = given
        self.drawn = False  # whether the trace has drawn random numbers
        self._draws = False
        self._inputs: list[Any] = []  # the arrays that the trace has come in with
        self._held: dict[str, tuple[Callable[[], Any], Any]] = {}  # by path: whose, and what the trace keeps of it
        self._replayed = 0
        self._told = False

    @contextlib.contextmanager
    def drawing(self, arguments: Any) -> Iterator[None]:
        """Notice random numbers that are drawn meanwhile, of keys that are not the program's own."""
        import mlx.core as mx

        self._inputs = graph.leaves([self._given[0], arguments])
        before, state = mx.random.state[0], mx.random.state
        yield
        self.drawn = mx.random.state is state and state[0] is not before
        self._draws = self.drawn and not all(holds(one, state) for one in self._given)

    def traced(
        self, trace: Trace, arguments: Any, result: Any, models: list[Any], reads: dict[tuple[int, str], dict[str, Any]]
    ) -> None:
        """The function has been traced: find the arrays of models and globals that have become constants of it.

        A gradient call leaves copies in its model; what it was given of them is among its parameters.
        """
        known = {id(one) for one in [*self._inputs, *graph.leaves([self._given[0], arguments])]}
        self._inputs = []
        updated = {id(one.model) for one in trace.updated}
        given = {id(call.model): call.parameters for call in trace.calls if call.model is not None}
        candidates: dict[str, tuple[Callable[[], Any], Any]] = {}
        for model in models:
            if hasattr(model, "trainable_parameters") and id(model) not in updated:
                reference = weakref.ref(model)
                trees = given.get(id(model), {}).values() or [model.parameters()]  # a frozen one may follow another
                named = [pair for tree in trees for pair in graph.named_leaves(tree)]
                for path, one in sorted(named, key=lambda pair: int(pair[1].size)):
                    candidates[path] = (lambda reference=reference: reference(), one)  # type: ignore[misc]
        for (_, name), variables in reads.items():
            for path, one in graph.named_leaves({name: variables.get(name)}):
                candidates.setdefault(path, (lambda variables=variables: variables, one))  # type: ignore[misc]
        named_ = [(path, owner, one) for path, (owner, one) in candidates.items() if id(one) not in known and one.size]
        self._held = {}
        if named_:
            self._find(named_[:NAMED], graph.leaves([result, self._given[1]]))

    def _find(self, named: list[tuple[str, Callable[[], Any], Any]], outputs: list[Any]) -> None:
        arrays = {f"p{k}": one for k, (_, _, one) in enumerate(named)}
        drawn = graph.dot(**{f"o{k}": one for k, one in enumerate(outputs)}, **arrays)
        reached = [one for k, one in enumerate(named) if f'"p{k}" -> ' in drawn]
        for path, owner, one in reached[:COMPARED]:
            self._held[path] = owner, copy.copy(one)  # perhaps still to be computed

    def called(self, *, traced: bool) -> None:
        """The program has called the function, which was traced for that or replayed."""
        if traced:
            self._replayed = 0
            return
        self._replayed += 1
        if self._draws and self._replayed == 1:
            self._recorder.fact("draws repeat", self._site)
        worth_it = self._inspection.due or is_landmark(self._replayed)
        if self._held and not self._told and worth_it and not self._inspection.busy:
            with self._inspection.at_our_cost():
                self._compare()

    def _compare(self) -> None:
        stale = []
        for path, (owner, kept) in self._held.items():
            now = dict(graph.named_leaves(owner())).get(path) if owner() is not None else None
            if now is None or now.shape != kept.shape or self._inspection.pending([now, kept]):
                continue
            try:
                before, values = (graph.numbers(graph.sample(one)) for one in (kept, now))
            except RuntimeError:  # one is a placeholder, left over from a trace: up to 0.29 they look like arrays
                continue
            if values != before and not any(map(math.isnan, before)):
                stale.append(path)
        if stale:
            self._told = True
            self._recorder.fact("baked in", self._site, paths=stale, of=len(self._held))
