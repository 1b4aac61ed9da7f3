"""Recognise an adapter by what it does: two matrices of small common rank whose product is added to a base weight."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

from mlxprobe.agent.introspection.trees import is_array
from mlxprobe.agent.patching import static

MATRICES = 3  # a base and its two factors: whatever holds more is no adapter
SCALES = ("scale", "scaling", "lora_scale", "lora_scaling", "multiplier")
ALPHAS, RANKS = ("alpha", "lora_alpha"), ("rank", "r", "lora_rank", "lora_r")


class Matrix(NamedTuple):
    """A weight where it lies: `owner[key]`; a quantised one has the shape that it stands for."""

    path: str
    owner: Any
    key: str
    shape: tuple[int, ...]
    packed: bool = False

    @property
    def array(self) -> Any:
        """What lies there now."""
        return self.owner[self.key]


class Adapter(NamedTuple):
    """A base weight and two factors in one module; `left` times `right` has the base's shape, or its transpose's."""

    path: str
    holder: Any
    base: Matrix
    left: Matrix
    right: Matrix

    @property
    def rank(self) -> int:
        """The common axis of the factors."""
        return self.left.shape[-1]

    @property
    def factors(self) -> tuple[Matrix, Matrix]:
        """What is trained of an adapter."""
        return self.left, self.right

    def deltas(self, left: Any, right: Any) -> list[Any]:
        """Multiply two factors; a base that is square may be meant to take the product or its transpose."""
        product = left @ right
        return [one for one in (product, product.swapaxes(-1, -2)) if one.shape == self.base.shape]


def find(tree: Any) -> list[Adapter]:
    """List what has the form of an adapter in a model, each in the innermost module that holds all of it."""
    found: list[Adapter] = []
    _gather(tree, "", found)
    return found


def _gather(node: Any, path: str, found: list[Adapter]) -> list[Matrix]:
    """Return the matrices below a node, as far as an adapter may have them; add adapters that are complete here."""
    mine = list(_own(node, path))
    for key, child in _children(node):
        mine += _gather(child, f"{path}.{key}".lstrip("."), found)
    complete = list(_fitted(node, path, mine)) if len(mine) == MATRICES and static.is_module(node) else []
    found.extend(complete)
    return (mine * (1 + len(complete)))[: MATRICES + 1]  # what holds a whole adapter is no part of one


def _children(node: Any) -> Iterator[tuple[str, Any]]:
    """Yield what a container holds, without what MLX takes for no parameters."""
    for key, value in static.texts(static.entries(node) if static.is_a(node, (dict, list)) else []):
        if static.is_a(value, (dict, list)) and not key.startswith("_"):
            yield key, value


def _own(node: Any, path: str) -> Iterator[Matrix]:
    """Yield the matrices that lie right in a node; the parts of a quantised weight are one."""
    arrays = {key: one for key, one in static.entries(node) if is_array(one)} if static.is_a(node, dict) else {}
    bits, scales = static.attributes(node).get("bits", 0), arrays.get("scales")
    for key, one in arrays.items():
        packed = key == "weight" and bits and scales is not None
        part = key == "bias" or (bits and key in ("scales", "biases"))
        if str(key).startswith("_") or one.ndim < 2 or part:
            continue
        shape = (*one.shape[:-1], one.shape[-1] * 32 // bits) if packed else tuple(one.shape)
        yield Matrix(f"{path}.{key}".lstrip("."), node, key, shape, bool(packed))


def _fitted(holder: Any, path: str, matrices: list[Matrix]) -> Iterator[Adapter]:
    """Yield the one way in which two of three matrices multiply to the shape of the third.

    Beside a layer with few outputs a rank is no smaller than they are; the names alone then tell base and factors.
    """
    ways = [
        Adapter(path, holder, base, left, right)
        for base in matrices
        for left in matrices
        for right in matrices
        if len({base.path, left.path, right.path}) == MATRICES
        and multiply(left.shape, right.shape, base.shape, narrow=_told_by_names(base, left, right))
    ]
    yield from sorted(ways, key=lambda way: not _told_by_names(way.base, way.left, way.right))[:1]


def _told_by_names(base: Matrix, *factors: Matrix) -> bool:
    """Tell whether one of three matrices alone is called a weight."""
    return base.key == "weight" and all(one.key != "weight" for one in factors)


def multiply(left: tuple[int, ...], right: tuple[int, ...], base: tuple[int, ...], narrow: bool = False) -> bool:
    """Tell whether two shapes of small common rank multiply to a third, or to its transpose.

    A rank is small beside both axes; beside the longer one where the base is known to be `narrow`.
    """
    if not len(left) == len(right) == len(base) or left[-1] != right[-2] or left[:-2] != right[:-2]:
        return False
    product = (*left[:-1], right[-1])
    return left[-1] < (max if narrow else min)(base[-2:]) and base in (
        product,
        (*product[:-2], product[-1], product[-2]),
    )


def spaces(holder: Any) -> list[dict[str, Any]]:
    """Return where an adapter's module, and those right below it, keep what is no array."""
    below = [holder, *(child for _, child in _children(holder))]
    return [static.attributes(one) for one in below]


def named_scales(where: list[dict[str, Any]]) -> dict[str, float]:
    """Return what is said of an adapter's scale, by name."""
    found: dict[str, float] = {}
    for known in where:
        for name in (*SCALES, *ALPHAS, *RANKS):
            value = known.get(name, known.get(f"_{name}"))
            if isinstance(value, (int, float)) and not isinstance(value, bool):
                found.setdefault(name, float(value))
    return found


def readings(said: dict[str, float], rank: int = 0) -> set[float]:
    """Return every factor that these names may stand for: a scale itself, or an alpha with or without its rank."""
    if plain := {round(said[name], 6) for name in SCALES if name in said}:
        return plain
    ranks = [said[name] for name in RANKS if said.get(name)] or [float(rank)] * bool(rank)
    alphas = [said[name] for name in ALPHAS if name in said]
    return {round(alpha / by, 6) for alpha in alphas for r in [1.0, *ranks] for by in (r, r**0.5)}
