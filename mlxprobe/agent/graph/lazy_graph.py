"""Look at MLX's lazy graph without evaluating it, and at evaluated arrays without copying them."""

from __future__ import annotations

import math
import re
from typing import Any

from mlxprobe.agent.graph import export
from mlxprobe.agent.patching import static
from mlxprobe.agent.patching.interrupts import Quietly

spent_s = export.spent_s
SAMPLED = 256  # elements of a parameter
STATISTICS = ("running_mean", "running_var")  # of batch normalisation: counted, not trained
FILLED = re.compile(r'"Full", shape=rectangle\]; \}\n[^\n]*\n\{ rank=sink')
PATHS = 64  # to the same container: a module may be shared by many


def named_leaves(tree: Any) -> list[tuple[str, Any]]:
    """List the arrays of a nested dict, list, tuple or module with their dotted paths, in order.

    A program's own may lead back into itself: a trie with links to where a mismatch goes on.
    """
    import mlx.core as mx

    array, kinds = mx.array, (dict, list, tuple)
    found: list[tuple[str, Any]] = []
    within: list[tuple[str, Any]] = [("", iter([("", tree)]))]  # what leads there, and what is left of it
    times: dict[int, int] = {}
    while within:
        above, pairs = within[-1]
        for key, node in pairs:
            if issubclass(type(node), array):
                found.append((f"{above}{key}", node))
            elif issubclass(type(node), kinds) and (before := times.get(id(node), 0)) < PATHS:
                times[id(node)] = before + 1
                inner = list(static.texts(static.entries(node)))
                path = f"{above}{key}"
                within.append((path and f"{path}.", iter(inner)))
                break
        else:
            within.pop()
    return found


def leaves(tree: Any) -> list[Any]:
    """List the arrays of a nested dict, list, tuple or module."""
    import mlx.core as mx

    array = mx.array
    found: list[Any] = []
    waiting, times = [tree], dict[int, int]()
    while waiting:
        node = waiting.pop()
        if issubclass(type(node), array):
            found.append(node)
        elif issubclass(type(node), static.CONTAINERS) and (before := times.get(id(node), 0)) < PATHS:
            times[id(node)] = before + 1
            waiting += reversed(static.children(node))
    return found


def pending(arrays: list[Any], *, copies: bool = True) -> int:
    """Count the operations that an evaluation of `arrays` would have to run.

    No attribute of an array tells whether it is evaluated; the exported graph draws each pending operation as
    a rectangle. Without `copies`: every gradient call makes one of each parameter.
    """
    return operations(drawn(arrays), copies=copies) if arrays else 0


def operations(text: str, *, copies: bool = True) -> int:
    """Count the pending operations of a graph that was drawn."""
    return text.count("shape=rectangle") - (0 if copies else text.count('[label ="Copy"'))


def untouched(text: str) -> int:
    """Count the operations of those drawn that fill an asked array with a constant, such as a momentum of no use."""
    return 2 * len(FILLED.findall(text))


def sources(text: str) -> int:
    """Count the arrays with data of their own in a graph that was drawn."""
    return text.count("rank=source")


def drawn(arrays: list[Any]) -> str:
    """Draw the lazy graph behind `arrays`, in DOT."""
    return export.exported(*arrays)


def dot(**arrays: Any) -> str:
    """Draw the lazy graph behind arrays that keep their names, in DOT."""
    return export.exported(**arrays)


def largest(array: Any) -> float:
    """Return the largest absolute value of an evaluated array; NaN where there is one. Nothing large is made."""
    return largest_each([array])[0]


def largest_each(arrays: list[Any]) -> list[float]:
    """Return the largest absolute value of each of some evaluated arrays, all in one evaluation."""
    import mlx.core as mx

    pairs = [(mx.min(one), mx.max(one)) if one.size else (mx.array(0.0),) * 2 for one in arrays]
    mx.eval(pairs)
    ends = [(number(low), number(high)) for low, high in pairs]
    return [math.nan if math.isnan(low) or math.isnan(high) else max(abs(low), abs(high)) for low, high in ends]


def per_position(array: Any) -> list[list[float]]:
    """Return the largest absolute value at each place of an array of shape (N, L, V)."""
    import mlx.core as mx

    found: list[list[float]] = mx.abs(array).max(axis=-1).astype(_float32()).tolist()
    return found


def extremes(array: Any) -> Any:
    """Describe the lowest and the highest value of an array that nobody has evaluated, and nothing more."""
    import mlx.core as mx

    return mx.stack([mx.min(array), mx.max(array)])


def evaluate(arrays: list[Any]) -> None:
    """Evaluate arrays together, so that what they share is computed once and freed as it goes."""
    import mlx.core as mx

    mx.eval(*[one for one in arrays if static.is_array(one)])


def number(array: Any) -> float:
    """Return the value of an array of one element."""
    return float(array.astype(_float32()).item())


def known(array: Any) -> float | None:
    """Return the value of an array of one element; None where it is pending, or left over from a trace."""
    with Quietly(RuntimeError):
        return None if array is None or pending([array]) else number(array)
    return None


def numbers(array: Any) -> list[float]:
    """Return the values of a small array, flat."""
    values: list[float] = array.astype(_float32()).reshape(-1).tolist()
    return values


def rows(array: Any) -> list[list[float]]:
    """Return the values of a small matrix."""
    values: list[list[float]] = array.astype(_float32()).tolist()
    return values


def numbers_each(arrays: list[Any]) -> list[list[float]]:
    """Return the values of each of some small arrays, all in one evaluation."""
    flat = [one.astype(_float32()).reshape(-1) for one in arrays]
    evaluate(flat)
    return [one.tolist() for one in flat]


def is_mask(array: Any) -> bool:
    """Return whether an evaluated array has no other elements than zeros and ones."""
    import mlx.core as mx

    return bool(mx.all((array == 0) | (array == 1)).item())


def _float32() -> Any:
    import mlx.core as mx

    return mx.float32


def sample(array: Any) -> Any:
    """Take some elements from all over an array."""
    return array if array.size <= SAMPLED else array.reshape(-1)[:: array.size // SAMPLED]


def aliases(model: Any) -> set[str]:
    """List the paths of parameters that the model has under another path too: only one of them gets the gradient."""
    paths: dict[int, list[str]] = {}
    for path, one in named_leaves(model.parameters()):
        paths.setdefault(id(one), []).append(path)
    return {path for same in paths.values() if len(same) > 1 for path in same}
