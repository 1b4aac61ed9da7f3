"""What is held in the place of arguments: weak references to modules, and copies of vectors (see `is_vector`)."""

from __future__ import annotations

import weakref
from collections.abc import Iterator
from typing import Any

from mlxprobe.agent.origin.probes import paths
from mlxprobe.agent.trees import is_array, is_vector

Paths = tuple[tuple[Any, ...], ...]


class Copy:
    """The numbers of an evaluated array of float32."""

    def __init__(self, array: Any) -> None:
        self._shape = tuple(array.shape)
        self._bytes = memoryview(array).tobytes()

    def array(self) -> Any:
        """Make the array anew."""
        import mlx.core as mx

        return mx.array(memoryview(self._bytes).cast("f", shape=self._shape))


def vectors(parameters: Any) -> Iterator[tuple[Any, ...]]:
    """List the paths of those of float32: of half precision most are made from such, and not trained themselves."""
    for path, one in paths(parameters):
        if is_vector(one) and str(one.dtype) == "mlx.core.float32":
            yield path


def aside(tree: Any, where: Paths) -> Any:
    """Return a tree with copies in some places."""
    if where == ((),):
        return Copy(tree)
    items = dict(tree.items()) if isinstance(tree, dict) else dict(enumerate(tree))
    for key in {path[0] for path in where}:
        items[key] = aside(items[key], tuple(path[1:] for path in where if path[0] == key))
    return items if isinstance(tree, dict) else type(tree)(items.values())


def copy_in(containers: list[Any], where: Paths) -> None:
    """Put copies in some places right in containers."""
    for number, key in [path for path in where if len(path) == 2]:
        held = containers[number]
        known = key in held if isinstance(held, dict) else isinstance(key, int) and key < len(held)
        if known and is_array(held[key]):
            held[key] = Copy(held[key])


def shallow(container: Any) -> Any:
    """Return what a dict or list holds, with arrays in the place of copies right in it."""
    if isinstance(container, dict):
        return {key: one.array() if isinstance(one, Copy) else one for key, one in container.items()}
    return [one.array() if isinstance(one, Copy) else one for one in container]


def restored(tree: Any) -> Any:
    """Return a tree with arrays in the place of copies."""
    if isinstance(tree, Copy):
        return tree.array()
    if is_array(tree) or not isinstance(tree, (dict, list, tuple)):
        return tree
    if isinstance(tree, dict):
        return {key: restored(one) for key, one in tree.items()} if type(tree) is dict else tree
    return type(tree)(map(restored, tree)) if type(tree) in (list, tuple) else tree


def loosened(args: tuple[Any, ...], modules: tuple[int, ...]) -> tuple[Any, ...]:
    """Refer weakly to the arguments that are modules."""
    return tuple(loose(one) if k in modules else one for k, one in enumerate(args))


def loose(one: Any) -> Any:
    """Refer to a module weakly; return anything else as it is."""
    return weakref.ref(one) if hasattr(one, "trainable_parameters") else one


def is_value(one: Any) -> bool:
    """Tell whether an argument is an array or a module, which hold nothing but arrays."""
    return hasattr(one, "nbytes") or hasattr(one, "trainable_parameters") or callable(one)
