"""A case: one random program as pure data, which can be run, changed, stored and told."""

from __future__ import annotations

import math
from typing import Any

from mlxprobe.schema.observation import Value

FLOATS = ("float32", "float16", "bfloat16")
SIGNED = ("int8", "int16", "int32", "int64")
UNSIGNED = ("uint8", "uint16", "uint32", "uint64")
INTEGERS = (*SIGNED, *UNSIGNED)
CALLS = 12  # of a program's operation, each with arguments of its own: cases
TRAINING = "train."


class Array(Value, frozen=True):
    """An argument: `kind` says which values it may have, `layout` how it lies in memory, `special` what is put in."""

    shape: tuple[int, ...]
    dtype: str = "float32"
    kind: str = "real"
    layout: str = "plain"
    seed: int = 0
    special: tuple[str, ...] = ()
    bound: int = 0  # of indices

    @property
    def is_float(self) -> bool:
        """Return whether it holds real numbers."""
        return self.dtype in FLOATS

    @property
    def is_smooth(self) -> bool:
        """Return whether it can be differentiated."""
        return self.is_float or self.dtype == "complex64"


class Step(Value, frozen=True):
    """One call of a function of `mlx.core`.

    Among the arguments {"array": 0} is the case's first array, {"result": 0} the last step's result, {"dtype": "int8"}
    a dtype, {"pieces": 0} all results, each flat; everything else is itself.
    """

    function: str
    arguments: tuple[Any, ...]
    keywords: dict[str, Any] = {}


class Case(Value, frozen=True):
    """Arrays and the calls that are made with them one after the other.

    Args:
        axes: along which each array is batched by vmap.
        still: the arrays by which it is not differentiated, although it could be.
        light: another case of its program is asked what costs most: compiled, and for memory.
    """

    id: str
    arrays: tuple[Array, ...]
    steps: tuple[Step, ...]
    axes: tuple[int | None, ...] = ()
    still: tuple[int, ...] = ()
    light: bool = False

    @property
    def operation(self) -> str:
        """The function that it is about; the further ones are composed with it."""
        return self.steps[0].function

    @property
    def size(self) -> tuple[int, ...]:
        """Say how complicated it is: what is reduced becomes smaller by this."""
        return (
            len(self.steps),
            sum(one.layout != "plain" for one in self.arrays) + sum(axis is not None for axis in self.axes),
            sum(axis not in (None, 0) for axis in self.axes),
            sum(len(one.special) for one in self.arrays),
            sum(math.prod(one.shape) + len(one.shape) for one in self.arrays),
            sum(one.dtype != "float32" for one in self.arrays),
            sum(_count(step.keywords) for step in self.steps),
            sum(one.seed != 0 for one in self.arrays),
        )


def program_of(identity: str) -> str:
    """Name the program that a case is of: its operation, the seed, and how often that operation came up before."""
    name, seed, number = identity.partition("/")[0].rsplit(":", 2)
    return identity if name.startswith(TRAINING) else f"{name}:{seed}:{int(number) // CALLS}"


def _count(named: dict[str, Any]) -> int:
    """Count named arguments, their parts, and layers."""
    parts = [_count(one) for one in named.values() if isinstance(one, dict)]
    return len(named) + len(named.get("layers", ())) + sum(parts)
