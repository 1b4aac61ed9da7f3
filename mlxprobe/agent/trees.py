"""Keep the state of a program aside: what its trees hold, to be put back as it was."""

from __future__ import annotations

import copy
from typing import Any

ROOM = 100_000  # arrays and containers


class Saved:
    """The containers of some trees with what they held. Arrays are immutable: references are all that is kept.

    A handle can be changed in place (`x += 1`), so that what runs in between gets handles of its own.
    """

    def __init__(self, *trees: Any) -> None:
        self._containers: list[tuple[Any, Any]] = []
        self._attributes: list[tuple[Any, dict[str, Any]]] = []
        self._known: set[int] = set()
        for tree in trees:
            self._save(tree)

    def _save(self, tree: Any) -> None:
        waiting = [tree]
        while waiting:
            one = waiting.pop()
            if id(one) in self._known or len(self._known) > ROOM:
                continue
            if isinstance(one, (dict, list)):
                self._containers.append((one, dict(one) if isinstance(one, dict) else list(one)))
            if isinstance(one, dict) or is_optimizer(one):
                self._attributes += [(one, dict(vars(one)))] if hasattr(one, "__dict__") else []
            if is_optimizer(one):
                waiting.append(one.state)
            if isinstance(one, (dict, list, tuple)):
                self._known.add(id(one))
                waiting += one.values() if isinstance(one, dict) else one
            elif is_optimizer(one):
                self._known.add(id(one))

    def __contains__(self, one: object) -> bool:
        return id(one) in self._known

    def lend(self) -> None:
        """Put other handles of the same arrays in their place."""
        handles: dict[int, Any] = {}
        for one, held in self._containers:
            for key, value in held.items() if isinstance(held, dict) else enumerate(held):
                if is_array(value):
                    put(one, key, handles.setdefault(id(value), copy.copy(value)))

    def put_back(self) -> None:
        """Make every container what it was."""
        for one, held in self._containers:
            if isinstance(held, dict):
                set_to(one, held)
            else:
                list.__setitem__(one, slice(None), held)
        for owner, attributes in self._attributes:
            set_to(vars(owner), attributes)


def set_to(container: dict[Any, Any], held: dict[Any, Any]) -> None:
    """Make a dict what it was; at no time is it empty, since other threads may look."""
    dict.update(container, held)
    for key in [key for key in dict.keys(container) if key not in held]:
        dict.__delitem__(container, key)


def put(container: Any, key: Any, value: Any) -> None:
    """Set an element, past whatever a class makes of that."""
    (dict if isinstance(container, dict) else list).__setitem__(container, key, value)


def lent(tree: Any) -> Any:
    """Return the same tuples, lists and dicts with other handles of the same arrays in them; modules as they are."""
    if is_array(tree):
        return copy.copy(tree)
    if type(tree) in (list, tuple):
        return type(tree)(lent(one) for one in tree)
    return {key: lent(one) for key, one in tree.items()} if type(tree) is dict else tree


def is_array(one: Any) -> bool:
    """Tell whether an object is an array of MLX's."""
    import mlx.core as mx

    return isinstance(one, mx.array)


def is_optimizer(one: Any) -> bool:
    """Tell whether an object is an optimizer, whose state is not a container itself."""
    return type(one).__module__ != "builtins" and hasattr(one, "apply_gradients") and hasattr(one, "state")
