"""Follow what an expression such as `self.settings["rate"]` stands for, now and later."""

from __future__ import annotations

from collections import _tuplegetter  # type: ignore[attr-defined]
from types import MemberDescriptorType, ModuleType
from typing import Any

from mlxprobe.agent.introspection import call_site
from mlxprobe.agent.introspection.code_ownership import OWN
from mlxprobe.agent.introspection.trees import is_array, is_optimizer
from mlxprobe.agent.patching import static

MISSING = static.MISSING
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
        if static.is_module(one) and not str(key).startswith("_") and (is_array(below) or is_tree(below)):
            return True
        one = below
    return False


def part(one: Any, key: Any, *, is_element: bool) -> Any:
    """Return an element or an attribute, without running any code of the program's."""
    if is_element:
        inside = (
            static.is_a(one, (list, tuple)) and static.is_a(key, int) and -static.size(one) <= key < static.size(one)
        )
        return (
            dict.get(one, key, MISSING) if static.is_a(one, dict) else static.children(one)[key] if inside else MISSING
        )
    if static.is_a(one, ModuleType) and call_site.whose_module(one.__name__) != OWN and one.__name__ not in DRAWS:
        return MISSING
    if is_optimizer(one) and call_site.whose_module(static.origin(one)) != OWN:
        return MISSING
    held = {
        **static.attributes(one),
        **(dict(static.entries(one)) if static.is_a(one, dict) else {}),
    }
    return held[key] if key in held else shared(one, key)


def shared(one: Any, key: Any) -> Any:
    """Return a number that a class has, or what an object without a dict of its own has."""
    kind = one if static.is_a(one, type) else type(one)
    found = static.static(kind, key)
    if type(found) in (MemberDescriptorType, _tuplegetter) and kind is type(one):
        try:
            return found.__get__(one)
        except AttributeError:  # a slot that is empty
            return MISSING
    return found if is_number(found) else MISSING


def state(one: Any) -> Any:
    """Return what a value can be told from another by."""
    if is_number(one):
        return one if one == one else MISSING  # noqa: PLR0124  # of what is not a number nothing is known
    if is_host(one):
        return one.shape, one.tobytes()
    if is_generator(one):
        for name in ("bit_generator", "getstate", "get_state"):
            if static.has(one, name) or name in static.attributes(one):  # a module has it itself
                held = getattr(one, name)
                return repr(held.state if name == "bit_generator" else held())
    return MISSING


def is_number(one: Any) -> bool:
    """Tell whether a value is a Python number."""
    return static.is_a(one, (bool, int, float))


def is_host(one: Any) -> bool:
    """Tell whether a value is a small array of NumPy's, or a number."""
    return static.origin(one) == "numpy" and static.is_number_of_numpy(one) and one.nbytes <= MOST_BYTES


def is_tree(one: Any) -> bool:
    """Tell whether a value is a plain container."""
    return type(one) in (dict, list, tuple)


def is_generator(one: Any) -> bool:
    """Tell whether something draws random numbers that are not MLX's: a generator, or a module of the kind."""
    if static.is_a(one, ModuleType):
        return one.__name__ in DRAWS[:2]
    origin, drawn = static.origin(one), static.static(type(one), "random") is not static.MISSING
    return drawn and (origin == "random" or origin.startswith("numpy.random"))
