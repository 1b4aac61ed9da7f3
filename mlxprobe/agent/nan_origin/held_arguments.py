"""What is held in the place of arguments: weak references to modules, and copies of vectors (see `is_vector`)."""

from __future__ import annotations

from typing import Any

from mlxprobe.agent.introspection import call_site
from mlxprobe.agent.introspection.trees import is_array, is_vector
from mlxprobe.agent.nan_origin.finite_checks import paths
from mlxprobe.agent.patching import static
from mlxprobe.agent.wire import bound

Paths = tuple[tuple[Any, ...], ...]
Places = tuple[tuple[tuple[Any, ...], Any], ...]  # the keys that lead to a container, and one in it


class Copy:
    """The numbers of an evaluated array of float32."""

    __slots__ = ("_bytes", "_shape")

    def __init__(self, array: Any) -> None:
        view: Any = memoryview(array)
        self._shape, self._bytes = view.shape, view.tobytes()

    def array(self) -> Any:
        """Make the array anew."""
        import mlx.core as mx

        return mx.array(memoryview(self._bytes).cast("f", self._shape))


def vectors(trees: tuple[Any, ...]) -> Paths:
    """List the paths of those of float32: of half precision most are made from such, and not trained themselves."""
    return tuple(path for path, one in paths(trees) if is_vector(one) and str(one.dtype) == "mlx.core.float32")


def aside(tree: Any, where: Paths) -> Any:
    """Return a tree with copies in some places."""
    if where == ((),):
        return Copy(tree)
    items = dict(static.entries(tree))
    for key in {path[0] for path in where}:
        items[key] = aside(items[key], tuple(path[1:] for path in where if path[0] == key))
    return items if static.is_a(tree, dict) else type(tree)(items.values())


def put_aside(trees: Any, places: Places) -> None:
    """Put copies in some places of trees that are nobody else's, where there still are arrays."""
    for way, key in places:
        try:
            container = static.at(trees, way)
            container[key] = Copy(container[key])
        except (LookupError, TypeError):
            continue


def shallow(container: Any) -> Any:
    """Return what a dict or list holds, with arrays in the place of copies right in it."""
    if static.is_a(container, dict):
        return {key: one.array() if static.is_a(one, Copy) else one for key, one in static.entries(container)}
    return [one.array() if static.is_a(one, Copy) else one for one in static.children(container)]


def restored(tree: Any) -> Any:
    """Return a tree with arrays in the place of copies."""
    if static.is_a(tree, Copy):
        return tree.array()
    if is_array(tree) or not static.is_a(tree, (dict, list, tuple)):
        return tree
    if static.is_a(tree, dict):
        return {key: restored(one) for key, one in tree.items()} if type(tree) is dict else tree
    return type(tree)(map(restored, tree)) if type(tree) in (list, tuple) else tree


def loosened(args: tuple[Any, ...], modules: tuple[int, ...]) -> tuple[Any, ...]:
    """Refer weakly to the arguments that are modules."""
    return tuple(loose(one) if k in modules else one for k, one in enumerate(args))


def loose(one: Any) -> Any:
    """Refer to a module weakly; return anything else as it is."""
    return bound.ref(one) if static.is_module(one) else one


def gathers(model: Any) -> bool:
    """Tell whether a model's trainable parameters are given by MLX's own methods: in dicts that nobody else has."""
    given = [static.method(model, name) for name in ("trainable_parameters", "filter_and_map")]
    return all(one is not None and call_site.is_mlx(one.__module__ or "") for one in given)


def is_value(one: Any) -> bool:
    """Tell whether an argument is an array or a module, which hold nothing but arrays."""
    return static.is_data(one) or static.is_module(one) or callable(one)
