"""Keep the state of a program aside: what its trees hold, to be put back as it was."""

from __future__ import annotations

import copy
import sys
from collections.abc import Callable
from types import FunctionType
from typing import Any

from mlxprobe.agent.introspection import call_site
from mlxprobe.agent.introspection.code_ownership import OWN
from mlxprobe.agent.patching import static
from mlxprobe.agent.wire import bound

CONSTANT = (bool, int, float, complex, str, bytes, type, FunctionType)
PLAIN = {bool, int, float, str, bytes, type(None)}
ROOM = 100_000  # containers and objects


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

    A handle can be changed in place (`x += 1`), so that what runs in between gets handles of its own. Of objects of
    the user's own classes in the trees, such as caches of keys and values, the arrays alone are kept.
    """

    def __init__(self, *trees: Any) -> None:
        self._held: list[tuple[Any, Any, bool]] = []  # dicts and lists, what each held, and whether that is all
        self._known: set[int] = set()
        self.add(*trees)

    def __len__(self) -> int:
        return len(self._held)

    def add(self, *trees: Any) -> None:
        """Save more trees."""
        waiting = [(one, True) for one in reversed(trees)]
        while waiting and len(self._known) <= ROOM:
            one, whole = waiting.pop()
            is_tree, trained = static.is_a(one, (dict, list, tuple)), is_optimizer(one)
            if type(one) in PLAIN or id(one) in self._known or not (is_tree or trained or is_users(one)):
                continue
            self._known.add(id(one))
            trained = trained or static.is_module(one)
            if static.is_a(one, (dict, list)):
                self._hold(one, whole or trained)
            if trained or not is_tree:
                self._hold(static.attributes(one), trained)
                waiting += [(each, False) for each in static.attributes(one).values()]
            if is_optimizer(one):
                waiting.append((one.state, True))
            waiting += [(each, whole or trained) for each in static.children(one)]

    def _hold(self, container: Any, whole: bool) -> None:
        held = static.copied(container)
        if not whole:
            held = {key: one for key, one in static.entries(container) if is_array(one)}
        if whole or held:
            self._held.append((container, held, whole))

    def __contains__(self, one: object) -> bool:
        return id(one) in self._known

    def arrays(self) -> list[Any]:
        """List the arrays, but the key of random numbers: it may be waiting for its evaluation for long."""
        random = random_state()
        found = [static.children(held) for owner, held, _ in self._held if owner is not random]
        return [one for held in found for one in held if is_array(one)]

    def lend(self, start: int = 0) -> None:
        """Put other handles of the same arrays in their place, from one of the containers on."""
        handles: dict[int, Any] = {}
        for one, held, _ in self._held[start:]:
            for key, value in static.entries(held):
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
        for one, held, whole in self._held:
            if not whole:
                for key, value in held.items():
                    put(one, key, value)
            elif static.is_a(held, dict):
                set_to(one, held)
            else:
                list.__setitem__(one, slice(None), held)


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

    def __init__(self, *, evaluates: bool = True) -> None:
        import mlx.core as mx

        self._state = random_state()
        self.key = self._state[0]
        if evaluates:
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


class Generators:
    """The states of the generators behind the functions of Python's `random` and of NumPy's."""

    def __init__(self) -> None:
        self._states: list[tuple[Callable[[Any], Any], Any]] = []
        for name, get, restore in (("random", "getstate", "setstate"), ("numpy.random", "get_state", "set_state")):
            known = static.attributes(sys.modules.get(name))
            if get in known and restore in known:  # no module of the program's by that name
                self._states.append((known[restore], known[get]()))

    def put_back(self) -> None:
        """Make them what they were."""
        for restore, state in self._states:
            restore(state)


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
