"""Follow what an expression such as `self.settings["rate"]` stands for, now and later."""

from __future__ import annotations

from types import MemberDescriptorType, ModuleType
from typing import Any

from mlxprobe.agent.code import sites
from mlxprobe.agent.code.roots import OWN
from mlxprobe.agent.code.trees import is_array, is_optimizer

MISSING = object()
SHAPES = {"shape", "ndim", "dtype", "size", "nbytes", "itemsize"}
MOST_BYTES = 1 << 20
DRAWS = ("random", "numpy.random", "numpy")


def content(cell: Any) -> Any:
    """Return what is in a cell."""
    try:
        return cell.cell_contents
    except ValueError:
        return MISSING


def follow(one: Any, steps: Any) -> tuple[Any, Any]:
    """Follow a chain up to its first array, number or generator; return that, and the steps that led there."""
    for k, (is_element, key) in enumerate(steps):
        if is_array(one) or is_host(one):
            return (MISSING if key in SHAPES else one), steps[:k]
        if is_generator(one):
            return one, steps[:k]
        one = part(one, key, is_element=is_element)
        if one is MISSING:
            break
    return one, steps


def is_parameter(one: Any, steps: Any) -> bool:
    """Tell whether a chain leads to what a module has for a parameter."""
    for is_element, key in steps:
        below = part(one, key, is_element=is_element)
        if (
            hasattr(one, "trainable_parameters")
            and not str(key).startswith("_")
            and (is_array(below) or is_tree(below))
        ):
            return True
        one = below
    return False


def part(one: Any, key: Any, *, is_element: bool) -> Any:
    """Return an element or an attribute, without running any code of the program's."""
    if is_element:
        inside = isinstance(one, (list, tuple)) and isinstance(key, int) and -len(one) <= key < len(one)
        return dict.get(one, key, MISSING) if isinstance(one, dict) else one[key] if inside else MISSING
    if isinstance(one, ModuleType) and sites.whose_module(one.__name__) != OWN and one.__name__ not in DRAWS:
        return MISSING
    if is_optimizer(one) and sites.whose_module(type(one).__module__) != OWN:
        return MISSING
    held = {**getattr(one, "__dict__", {}), **(one if isinstance(one, dict) and key in one else {})}
    return held[key] if key in held else shared(one, key)


def shared(one: Any, key: Any) -> Any:
    """Return a number that a class has, or what an object without a dict of its own has."""
    kind = one if isinstance(one, type) else type(one)
    found = next((vars(base)[key] for base in kind.__mro__ if key in vars(base)), MISSING)
    if isinstance(found, MemberDescriptorType) or (isinstance(one, tuple) and key in getattr(kind, "_fields", ())):
        return getattr(one, key, MISSING)
    return found if is_number(found) else MISSING


def state(one: Any) -> Any:
    """Return what a value can be told from another by."""
    if is_number(one):
        return one if one == one else MISSING  # noqa: PLR0124  # of what is not a number nothing is known
    if is_host(one):
        return one.shape, one.tobytes()
    if is_generator(one):
        for name in ("bit_generator", "getstate", "get_state"):
            if hasattr(one, name):
                held = getattr(one, name)
                return repr(held.state if name == "bit_generator" else held())
    return MISSING


def is_number(one: Any) -> bool:
    """Tell whether a value is a Python number."""
    return isinstance(one, (bool, int, float))


def is_host(one: Any) -> bool:
    """Tell whether a value is a small array of NumPy's, or a number."""
    return type(one).__module__ == "numpy" and hasattr(one, "tobytes") and one.nbytes <= MOST_BYTES


def is_tree(one: Any) -> bool:
    """Tell whether a value is a plain container."""
    return type(one) in (dict, list, tuple)


def is_generator(one: Any) -> bool:
    """Tell whether something draws random numbers that are not MLX's: a generator, or a module of the kind."""
    if isinstance(one, ModuleType):
        return one.__name__ in DRAWS[:2]
    return (type(one).__module__, type(one).__name__) == ("random", "Random") or (
        type(one).__module__.startswith("numpy.random") and hasattr(one, "random")
    )
