"""Whether a compiled function was told of the state that it updates."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from mlxprobe.agent.graph import lazy_graph
from mlxprobe.agent.introspection import call_site
from mlxprobe.agent.patching import static

Leaves = dict[str, Any]


class Traced:
    """An update in a trace: what it was given, and what model and state held before it.

    It `applies` to the model itself; `apply_gradients` only returns what it has computed.
    """

    def __init__(self, model: Any, optimizer: Any, gradients: Any, *, applies: bool) -> None:
        self.model, self.optimizer, self.gradients = model, optimizer, gradients
        self.applies = applies
        self.site = call_site.calling()
        self.weights: Leaves = dict(lazy_graph.named_leaves(model))
        self.state: Leaves = dict(lazy_graph.named_leaves(self._state_now()))

    def _state_now(self) -> Any:
        return static.state(self.optimizer)

    def uncaptured(self, reach: Reach) -> Iterator[tuple[str, bool]]:
        """Name what is neither among the inputs and outputs nor passed in and returned, and whether it is needed."""
        paths = {path for path, _ in lazy_graph.named_leaves(self.gradients)}
        if self.applies and not reach.covers(self.model, paths, self.weights):
            yield "the model", True
        state = self._state_now()
        changed = {path for path, one in lazy_graph.named_leaves(state) if self.state.get(path) is not one}
        if needed := {path for path in changed if self._needs(path)}:
            if not reach.covers(state, needed, self.state):
                yield "the optimizer's state", True
        elif not reach.covers(state, changed, self.state):
            yield "the optimizer's step counter", False

    def _needs(self, path: str) -> bool:
        """Tell whether the next update reads what is at a path; plain SGD reads its rate alone."""
        schedules = static.setting(self.optimizer, "_schedulers", {})
        plain = type(self.optimizer).__name__ == "SGD" and not static.setting(self.optimizer, "momentum", 1)
        return path in schedules or not (plain or path.rpartition(".")[2] == "step")


class Reach:
    """What flows into a compiled function and out of it: by `inputs` and `outputs`, or by hand."""

    def __init__(self, captured: list[Any], args: Any) -> None:
        self._captured = captured
        self._inputs, self._outputs = set(containers(args)), set[int]()
        self._args = {id(one): one for one in lazy_graph.leaves(args)}  # kept, so that no other array gets the number
        self._filled: set[int] = set()
        self._result: set[int] = set()

    def fills(self, module: Any, parameters: Any) -> None:
        """A module is given parameters, which may have come in as arguments."""
        if any(id(one) in self._args for one in lazy_graph.leaves(parameters)):
            self._filled |= set(containers(module))

    def returns(self, result: Any) -> None:
        """The function returns what leaves it; an optimizer has filled its state by now."""
        inputs, outputs = (set(containers(one)) for one in self._captured)
        self._inputs, self._outputs = self._inputs | inputs, outputs
        self._result = {id(one) for one in lazy_graph.leaves(result)}

    def covers(self, tree: Any, paths: set[str], before: Leaves) -> bool:
        """Tell whether all arrays of a tree at some paths come in, and go out again."""
        return all(
            (parent in self._inputs or parent in self._filled or id(before.get(path)) in self._args)
            and (parent in self._outputs or id(one) in self._result)
            for path, one, parent in places(tree)
            if path in paths
        )


def places(tree: Any, path: str = "") -> Iterator[tuple[str, Any, int]]:
    """List the arrays of a tree with their paths and the containers that they are in."""
    for name, one in _parts(tree):
        below = f"{path}.{name}".lstrip(".")
        if static.is_a(one, (dict, list, tuple)):
            yield from places(one, below)
        else:
            yield below, one, id(tree)


def containers(tree: Any) -> Iterator[int]:
    """List the containers of a tree, itself included."""
    if static.is_a(tree, (dict, list, tuple)):
        yield id(tree)
        for _, one in _parts(tree):
            yield from containers(one)


def _parts(tree: Any) -> Iterator[tuple[Any, Any]]:
    yield from static.entries(tree)
