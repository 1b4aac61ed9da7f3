"""Keep the state of a program aside: what its trees hold, to be put back as it was."""

from __future__ import annotations

import copy
from collections.abc import Callable
from types import FunctionType
from typing import Any

from mlxprobe.agent.introspection import call_site
from mlxprobe.agent.introspection.code_ownership import OWN
from mlxprobe.agent.patching import static
from mlxprobe.agent.wire import bound

CONSTANT = (bool, int, float, complex, str, bytes, type, FunctionType)
ROOM = 100_000  # arrays and containers


def is_vector(array: Any) -> bool:
    """Tell whether an array is one row or column: whoever holds such a parameter may change its training by a rounding.

    Its elements lie the same way by rows and by columns. Where nobody else holds it, MLX writes an update over it, and
    keeps its strides; else the update takes those of the gradient, and the next product may be another kernel's.
    """
    return array.ndim > 1 and 1 in array.shape and array.size > 1


def containers(trees: Any) -> list[Any]:
    """List the dicts and lists in some trees, themselves and each once; an optimizer's state is left out."""
    found: list[Any] = []
    known = set[int]()
    waiting = [trees]
    while waiting and len(found) < ROOM:
        one = waiting.pop()
        if static.is_a(one, (dict, list)) and not is_state(one) and id(one) not in known:
            known.add(id(one))
            found.append(one)
            waiting += static.children(one)
        elif static.is_a(one, tuple):
            waiting += static.children(one)
    return found


class Saved:
    """The containers of some trees with what they held. Arrays are immutable: references are all that is kept.

    A handle can be changed in place (`x += 1`), so that what runs in between gets handles of its own. With `objects`,
    those of the user's own classes are kept too: a cache that a model has and fills as it runs.
    """

    def __init__(self, *trees: Any, objects: bool = False) -> None:
        self._objects = objects
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
            if static.is_a(one, (dict, list)):
                self._containers.append((one, static.copied(one)))
            if static.is_a(one, dict) or is_optimizer(one):
                self._attributes.append((one, dict(static.attributes(one))))
                waiting += static.attributes(one).values() if self._objects else ()
            if is_optimizer(one):
                waiting.append(one.state)
            if static.is_a(one, (dict, list, tuple)):
                self._known.add(id(one))
                waiting += static.children(one)
            elif is_optimizer(one):
                self._known.add(id(one))
            elif self._objects and is_users(one):
                self._known.add(id(one))
                self._attributes.append((one, dict(static.attributes(one))))
                waiting += static.attributes(one).values()

    def __contains__(self, one: object) -> bool:
        return id(one) in self._known

    def arrays(self) -> list[Any]:
        """List the arrays, but the key of random numbers: it may be waiting for its evaluation for long."""
        random = random_state()
        found = [
            held.values() if static.is_a(held, dict) else held for one, held in self._containers if one is not random
        ]
        return [one for held in found for one in held if is_array(one)]

    def lend(self) -> None:
        """Put other handles of the same arrays in their place."""
        handles: dict[int, Any] = {}
        for one, held in self._containers:
            for key, value in held.items() if static.is_a(held, dict) else enumerate(held):
                if is_array(value):
                    put(one, key, handles.setdefault(id(value), copy.copy(value)))

    def put_back(self) -> None:
        """Make every container what it was, also where a signal handler of the program's raises: that goes on after it.

        Raises:
            BaseException: what the handler has raised.
        """
        try:
            self._put_back()
        except BaseException:
            self._put_back()
            raise

    def _put_back(self) -> None:
        for one, held in self._containers:
            if static.is_a(held, dict):
                set_to(one, held)
            else:
                list.__setitem__(one, slice(None), held)
        for owner, attributes in self._attributes:
            set_to(static.attributes(owner), attributes)


def set_to(container: dict[Any, Any], held: dict[Any, Any]) -> None:
    """Make a dict what it was; at no time is it empty, since other threads may look."""
    dict.update(container, held)
    for key in [key for key in dict.keys(container) if key not in held]:
        dict.__delitem__(container, key)


def random_state() -> Any:
    """Return what holds the key of MLX's random numbers: a list, or an object of its own from 0.32 on."""
    import mlx.core as mx

    return mx.random.state


class SavedKey:
    """The key of MLX's random numbers, of this thread."""

    def __init__(self) -> None:
        import mlx.core as mx

        self._state = random_state()
        self.key = self._state[0]
        mx.eval(self.key)  # which has no value where a compiled function has left a placeholder

    def put_back(self) -> None:
        """Make the key what it was."""
        if self._state[0] is not self.key:
            self.draw_from(self.key)

    def draw_from(self, key: Any) -> None:
        """Set the key; where it cannot be set, by the seed that it is made of."""
        import mlx.core as mx

        if static.is_a(self._state, list):
            self._state[0] = key
        else:
            high, low = key.tolist()
            mx.random.seed((high << 32) | low)


def is_users(one: Any) -> bool:
    """Tell whether an object is of a class of the user's own."""
    is_object = static.static(type(one), "__dict__") is not static.MISSING and not static.is_a(one, type)
    return is_object and call_site.whose_module(static.origin(one)) == OWN


def holds(given: Any, tree: Any, depth: int = 3) -> bool:
    """Tell whether a tree is among what was given, itself and not a copy."""
    if given is tree:
        return True
    return depth > 0 and any(holds(one, tree, depth - 1) for one in static.children(given))


def is_state(one: Any) -> bool:
    """Tell whether a container is what an optimizer keeps."""
    return static.is_a(one, dict) and dict.__contains__(one, "learning_rate")


def put(container: Any, key: Any, value: Any) -> None:
    """Set an element, past whatever a class makes of that."""
    (dict if static.is_a(container, dict) else list).__setitem__(container, key, value)


def lent(tree: Any) -> Any:
    """Return the same tuples, lists and dicts with other handles of the same arrays in them; modules as they are."""
    if is_array(tree):
        return copy.copy(tree)
    if type(tree) in (list, tuple):
        return type(tree)(lent(one) for one in tree)
    return {key: lent(one) for key, one in tree.items()} if type(tree) is dict else tree


class SingleError(Exception):
    """There can be only one of an object, as far as is known."""


def doubled(tree: Any, of: Callable[[Any], Any], depth: int = 6) -> Any:
    """Return another tree of the same values with its arrays replaced, or raise `SingleError`.

    Objects that hold nothing but plain values are doubled too: a batch, a cache of keys and values.
    """
    if tree is None or static.is_a(tree, CONSTANT):
        return tree
    if is_array(tree):
        return of(tree)
    if not depth or is_trained(tree):
        raise SingleError
    if type(tree) in (list, tuple):
        return type(tree)(doubled(one, of, depth - 1) for one in tree)
    if type(tree) is dict:
        return {key: doubled(one, of, depth - 1) for key, one in tree.items()}
    if static.is_a(tree, tuple) and static.static(type(tree), "_fields") is not static.MISSING:
        return type(tree)(*(doubled(one, of, depth - 1) for one in tree))
    if static.static(type(tree), "__dict__") is static.MISSING or static.is_a(tree, (dict, list, set)):
        raise SingleError
    other = object.__new__(type(tree))
    held = static.attributes(tree)
    static.attributes(other).update({key: doubled(one, of, depth - 1) for key, one in held.items()})
    return other


def is_array(one: Any) -> bool:
    """Tell whether an object is an array of MLX's."""
    return static.is_array(one)


def is_trained(one: Any) -> bool:
    """Tell whether an object is a module or an optimizer of MLX's, whose changes can be put back."""
    return any(name.startswith("mlx.") for name in static.origins(one)) and not static.is_array(one)


def is_optimizer(one: Any) -> bool:
    """Tell whether an object is an optimizer, whose state is not a container itself."""
    return static.is_optimizer(one)


def weak(one: Any) -> Callable[[], Any]:
    """Refer to a model or optimizer without keeping it alive; a plain dict cannot be, and is not."""
    if one is None:
        return lambda: None
    try:
        return bound.ref(one)
    except TypeError:
        return dict
