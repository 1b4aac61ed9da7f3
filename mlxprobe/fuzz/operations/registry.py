"""How an operation is described: arguments that are right for it, its reference, and what follows from rounding."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from mlxprobe.fuzz.strategies import Draw, Drawn

Reference = Callable[..., Any]
OPERATIONS: dict[str, Operation] = {}


@dataclass(frozen=True)
class Operation:
    """A function of `mlx.core`.

    Args:
        name: within `mlx.core`.
        build: draws its arguments.
        reference: the same function for NumPy's arrays; None where there is none.
        smooth: it may be differentiated where `build` puts its arguments; a tuple names the arguments.
        exact: it computes nothing that is rounded, but moves, compares or counts.
        bound: from the absolute values of the arguments, what its rounding errors are a share of; for sums of products
            the reference itself.
        solves: it accumulates as many rounding errors as its arrays have elements.
        without: modes that it has not.
        several: it returns more than one array.
    """

    name: str
    build: Callable[[Draw], Drawn]
    reference: Reference | None = None
    smooth: bool | tuple[int, ...] = True
    exact: bool = False
    bound: Reference | None = None
    accumulates: bool = False
    without: tuple[str, ...] = ()
    several: bool = False


def operation(name: str, build: Callable[[Draw], Drawn], reference: Reference | None = None, **what: Any) -> None:
    """Take an operation in."""
    assert name not in OPERATIONS, name
    OPERATIONS[name] = Operation(name=name, build=build, reference=reference, **what)


def operations(rows: Iterable[tuple[str, Reference]], build: Callable[[Draw], Drawn], **what: Any) -> None:
    """Take in operations whose arguments are alike."""
    for name, reference in rows:
        operation(name, build, reference, **what)
