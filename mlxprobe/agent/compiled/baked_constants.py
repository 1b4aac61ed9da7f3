"""What a trace has made constant although it changes: random keys, and arrays that are not among the inputs."""

from __future__ import annotations

import contextlib
import copy
import math
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

from mlxprobe.agent.compiled.captured_reads import Outside
from mlxprobe.agent.graph import lazy_graph
from mlxprobe.agent.introspection.trees import holds
from mlxprobe.agent.patching import static
from mlxprobe.agent.patching.interrupts import let_through
from mlxprobe.agent.recording.call_context import Trace
from mlxprobe.agent.sampling.dispatcher import Inspection
from mlxprobe.agent.sampling.overhead_budget import next_landmark
from mlxprobe.agent.wire import bound
from mlxprobe.protocol.facts.compilation import ArraysBakedIn, DrawsRepeat, Seeded

Value = tuple[str, Callable[[], Any], tuple[str, int]]  # a name, what gives it, and where
Candidate = tuple[Callable[[], Any], Any, tuple[str, int]]  # what gives an array, what the trace keeps, and where
Key = tuple[Callable[[], Any], tuple[str, int], list[list[float]]]  # what gives it, where, and what it was
NAMED = 64  # arrays that are looked for in a trace
COMPARED = 8
SURE, SURE_KEY = 2, 4  # calls of a trace
KEY = (2,), "mlx.core.uint32"  # shape and type of a random key


class Constants:
    """Compare what a compiled function was traced with and what it would be given now."""

    def __init__(self, inspection: Inspection, site: tuple[str, int], given: list[Any], outside: Outside) -> None:
        self._inspection = inspection
        self._recorder = inspection.recorder
        self._site = site
        self._given = given
        self._outside = outside
        self.drawn = False  # whether the trace has drawn random numbers
        self._draws = False
        self._inputs: list[Any] = []  # the arrays that the trace has come in with
        self._held: dict[str, Candidate] = {}  # by path
        self._keys: dict[str, Key] = {}  # that a gradient draws with
        self._key = 0  # of the trace
        self._replayed, self._landmark = 0, 1  # and the next that is looked at
        self._told = False

    @contextlib.contextmanager
    def drawing(self, arguments: Any, key: int) -> Iterator[None]:
        """Notice random numbers that are drawn meanwhile, of keys that are not the program's own."""
        import mlx.core as mx

        self._inputs, self._key = lazy_graph.leaves([self._given[0], arguments]), key
        before, state = mx.random.state[0], mx.random.state
        yield
        self.drawn = mx.random.state is state and state[0] is not before
        self._draws = self.drawn and not all(holds(one, state) for one in self._given)

    def traced(
        self,
        trace: Trace,
        arguments: Any,
        result: Any,
        models: list[Any],
        reads: dict[tuple[int, str], dict[str, Any]],
    ) -> None:
        """The function has been traced: find the arrays of models and globals that have become constants of it.

        A gradient call leaves copies in its model; what it was given of them is among its parameters.
        """
        known = {id(one) for one in [*self._inputs, *lazy_graph.leaves([self._given[0], arguments])]}
        self._outside.traced(self._key)
        self._inputs = []
        updated = {id(one.model) for one in trace.updated}
        given = {id(call.model): call.parameters for call in trace.calls if call.model is not None}
        candidates: dict[str, Candidate] = {}
        for model in models:
            if static.is_module(model) and id(model) not in updated:
                reference = bound.ref(model)
                trees = given.get(id(model), {}).values() or [model.parameters()]  # a frozen one may follow another
                named = [pair for tree in trees for pair in lazy_graph.named_leaves(tree)]
                for path, one in sorted(named, key=lambda pair: int(pair[1].size)):
                    candidates[path] = partial(leaf, path, "", reference), one, self._site
        shared: list[Value] = [(name, partial(v.get, name), self._site) for (_, name), v in reads.items()]
        for name, value, site in [*self._outside.arrays(), *shared]:
            for path, one in lazy_graph.named_leaves({name: value()}):
                candidates.setdefault(path, (partial(leaf, path, name, value), one, site))
        self._held = {}
        arrays = list(self._outside.arrays())
        keys: dict[str, Key] = {name: (value, site, []) for name, value, site in arrays if is_key(value())}
        if keys and trace.calls and "RandomBits" in lazy_graph.drawn(lazy_graph.leaves(result)):
            self._keys = keys
        if left := {path: one for path, one in candidates.items() if id(one[1]) not in known and one[1].size}:
            self._find(dict(list(left.items())[:NAMED]), lazy_graph.leaves([result, self._given[1]]))

    def _find(self, named: dict[str, Candidate], outputs: list[Any]) -> None:
        arrays = {f"p{k}": one for k, (_, one, _) in enumerate(named.values())}
        drawn = lazy_graph.dot(**{f"o{k}": one for k, one in enumerate(outputs)}, **arrays)
        reached = [path for k, path in enumerate(named) if f'"p{k}" -> ' in drawn]
        for path in reached[:COMPARED]:
            value, one, site = named[path]
            self._held[path] = value, copy.copy(one), site  # perhaps still to be computed

    def called(self, *, traced: bool) -> bool:
        """The program has called the function, which was traced for that or replayed; tell whether to `look`."""
        if traced:
            self._replayed, self._landmark = 0, 1
            return False
        self._replayed = count = self._replayed + 1
        if self._draws and count == 1:
            self._recorder.fact(DrawsRepeat(), self._site)
        for site in self._outside.drawn if count == SURE else ():
            self._recorder.fact(DrawsRepeat(what="host"), site)
        if lands := count == self._landmark:
            self._landmark = next_landmark(count + 1)
        return (lands or self._inspection.due) and not self._inspection.busy

    def look(self, key: Callable[[], int]) -> None:
        """Compare what there is now with what the trace has kept, at a call that has a `key` as a trace."""
        self._inspection.at_our_cost(lambda: self._look(key()))

    def _look(self, known: int) -> None:
        for site, fact in self._outside.changed(known, self._replayed):
            self._recorder.fact(fact, site)
        if self._held and not self._told and known == self._key:
            self._compare()
        for path in list(self._keys):
            self._look_at(path)

    def _look_at(self, path: str) -> None:
        """See whether a key is what it was at each look."""
        value, site, before = self._keys[path]
        now = value()
        if now is None or self._inspection.pending([now]):
            return
        before.append(lazy_graph.numbers(now))
        if before[0] != before[-1] or len(before) == SURE_KEY:
            del self._keys[path]
            if before[0] == before[-1]:
                self._recorder.fact(Seeded(what="key", value=""), site)

    def _compare(self) -> None:
        stale: dict[tuple[str, int], list[str]] = {}
        for path, (value, kept, site) in self._held.items():
            now = value()
            if now is None or now.shape != kept.shape or self._inspection.pending([now, kept]):
                continue
            try:
                before, values = (lazy_graph.numbers(lazy_graph.sample(one)) for one in (kept, now))
            except RuntimeError as error:  # one is a placeholder, left over from a trace: up to 0.29 like an array
                let_through(error)
                continue
            if values != before and not any(map(math.isnan, before)):
                stale.setdefault(site, []).append(path)
        for site, paths in stale.items():
            self._told = True
            self._recorder.fact(ArraysBakedIn(paths=tuple(paths), of=len(self._held)), site)


def is_key(one: Any) -> bool:
    """Tell whether something has the form of a random key."""
    return static.is_array(one) and (static.shape(one), str(one.dtype)) == KEY


def leaf(path: str, name: str, value: Callable[[], Any]) -> Any:
    """Return the array at a path of a tree, which may have a name; None where there is none any more."""
    tree = value()
    return None if tree is None else dict(lazy_graph.named_leaves({name: tree} if name else tree)).get(path)
