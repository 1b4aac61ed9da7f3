"""Register operations: valid arguments, a reference, and what is known of their rounding."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from operator import attrgetter
from typing import Any

import numpy as np

from mlxprobe.fuzz.strategies import Builder

Reference = Callable[..., Any]
OPERATIONS: dict[str, Operation] = {}
ALONE: dict[str, Any] = {"smooth": False, "without": ("vmap", "copy")}  # traits of an operation that takes no array


@dataclass(frozen=True)
class Operation:
    """A function of `mlx.core`.

    Args:
        name: within `mlx.core`.
        build: draws its arguments.
        reference: the same function for NumPy's arrays; None where there is none.
        smooth: it is differentiable at the arguments of `build`; a tuple lists the differentiable ones.
        exact: it rounds nothing: it moves, compares or counts.
        bound: scale of the rounding errors, from the arguments' absolute values; the reference for sums of products.
        accumulates: its rounding errors add up over the elements of its arrays.
        without: modes that it does not support.
        several: it returns more than one array.
    """

    name: str
    build: Builder
    reference: Reference | None = None
    smooth: bool | tuple[int, ...] = True
    exact: bool = False
    bound: Reference | None = None
    accumulates: bool = False
    without: tuple[str, ...] = ()
    several: bool = False


def operation(name: str, build: Builder, reference: Reference | None = None, **traits: Any) -> None:
    """Register an operation."""
    assert name not in OPERATIONS, name
    OPERATIONS[name] = Operation(name=name, build=build, reference=reference, **traits)


def same_in_numpy(names: str, build: Builder, **traits: Any) -> None:
    """Register operations that NumPy has under the same name; the arguments of all are drawn alike."""
    for name in names.split():
        operation(name, build, attrgetter(name)(np), **traits)


def named_axes(axis: Any) -> Any:
    """Return a list of axes as the tuple that NumPy takes."""
    return tuple(axis) if isinstance(axis, list) else axis


def unchanged(a: Any, **_: Any) -> Any:
    """Return the argument: the reference of operations that change no value."""
    return a
