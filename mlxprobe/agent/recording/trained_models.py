"""The models and optimizers that were updated, as long as they live, and the last rate of each optimizer."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from mlxprobe.agent.graph import lazy_graph
from mlxprobe.agent.patching import static
from mlxprobe.agent.wire import bound

ATTRIBUTE = object.__getattribute__  # past what a class of the program's makes of an access
MOST_RATES = 8
LATE = 64  # updates of one model without any evaluation
Pair = tuple[Callable[[], Any], Callable[[], Any]]


class Trained:
    """Know who has updated, without keeping it alive."""

    def __init__(self) -> None:
        self.began: Callable[[Any, Any], None] = lambda _, __: None  # told of a model and its new optimizer
        self.late: Callable[[int], None] = lambda _: None  # told of updates that nothing has been evaluated since
        self.rates: dict[int, list[Any]] = {}  # of each optimizer: itself, its rate and its count of updates
        self.models = 0  # that were updated
        self.known: dict[int, bound.ref[Any]] = {}
        self._pairs: dict[tuple[int, int], Pair] = {}
        self.put_off: dict[tuple[int, int], int] = {}  # updates not evaluated, by model and optimizer
        self._last: tuple[Callable[[], Any], Callable[[], Any], list[Any]] = (lambda: self, lambda: self, [])

    def updated(self, model: Any, optimizer: Any) -> None:
        """An optimizer has updated; its rate and count may outlive it: a function that trains takes it with it."""
        own = 0 if type(model) is dict else id(model)  # `apply_gradients` makes a new dict each time
        pair, put_off = (own, id(optimizer)), self.put_off
        if pair in put_off:
            count = put_off[pair] = put_off[pair] + 1
            if count >= LATE and count & (count - 1) == 0:
                self.late(count)
        else:
            put_off[pair] = 1
        one, other, kept = self._last
        if one() is not model or other() is not optimizer:
            kept = self._learn(model, optimizer)
        try:
            state = ATTRIBUTE(optimizer, "__dict__").get("_state")
        except AttributeError:  # an object of the program's own, with slots alone
            return
        if state:
            kept[1], kept[2] = state.get("learning_rate"), state.get("step")

    def _learn(self, model: Any, optimizer: Any) -> list[Any]:
        """Take in who updates now, and return what is kept of the optimizer."""
        for tree in (model, optimizer):
            known = self.known.get(id(tree))
            if known is None or known() is None:
                self._meet(tree, model, optimizer)
        kept = self.rates.get(id(optimizer), [None] * 3)
        if id(model) in self.known and id(optimizer) in self.known:
            self._last = self.known[id(model)], self.known[id(optimizer)], kept
            self._pairs[id(model), id(optimizer)] = self._last[:2]
        return kept

    def _meet(self, tree: Any, model: Any, optimizer: Any) -> None:
        try:
            known = self.known[id(tree)] = bound.ref(tree)
        except TypeError:  # a plain dict
            return
        self.models += tree is not optimizer
        if tree is optimizer:
            if len(self.rates) < MOST_RATES or id(tree) in self.rates:
                self.rates[id(tree)] = [known, None, None]
            self.began(model, optimizer)

    def trees(self) -> list[Any]:
        """Return parameters and states of every model and optimizer that was updated."""
        return [_state(tree) for tree in self.live()]

    def most_put_off(self) -> int:
        """Return how many updates of one model nothing has been evaluated since."""
        return max(self.put_off.values(), default=0)

    def waits(self, model: Any) -> bool:
        """Tell whether an update of a model is not followed by any evaluation yet."""
        return any(one == id(model) for one, _ in self.put_off)

    def holds(self, given: Any) -> bool:
        """Tell whether any of the arrays in a tree is a parameter or a state of those that were updated."""
        own = {id(one) for one in lazy_graph.leaves(self.trees())}
        return any(id(one) in own for one in lazy_graph.leaves(given))

    def pairs(self) -> list[list[Any]]:
        """Return parameters and state of each model with its optimizer."""
        return [[_state(tree()) for tree in pair] for pair in self._pairs.values()]

    def live(self) -> list[Any]:
        """Return every model and optimizer that was updated."""
        return [tree for tree in (reference() for reference in self.known.values()) if tree is not None]


def _state(tree: Any) -> Any:
    return tree if static.is_a(tree, dict) else tree.state if static.is_optimizer(tree) else []
