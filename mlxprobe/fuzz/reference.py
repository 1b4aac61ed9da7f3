"""What a case gives in exact arithmetic, as nearly as NumPy in float64 tells, and how far rounding may lead from it."""

from __future__ import annotations

import contextlib
import random
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from msgspec import structs

from mlxprobe.fuzz.array_values import Numbers, contents
from mlxprobe.fuzz.case import Array, Case
from mlxprobe.fuzz.child.arguments import called
from mlxprobe.fuzz.operations import OPERATIONS, Operation
from mlxprobe.fuzz.operations.registry import Reference
from mlxprobe.schema.observation import Value

UNIT = {"float64": 2.0**-53, "float32": 2.0**-24, "complex64": 2.0**-24, "float16": 2.0**-11, "bfloat16": 2.0**-8}
LARGEST = {"float16": 65504.0, "bfloat16": 3.38e38, "float32": 3.4e38, "complex64": 3.4e38}
SMALLEST = {"float16": 6e-5, "bfloat16": 1.2e-38, "float32": 1.2e-38, "complex64": 1.2e-38}
FEW = 8  # units of the last place for one function: that of its result, of its argument, and its approximation's
DRAWS = 6
STEP = 1e-4  # of differences: large against rounding in float64, small against curvature
TRUNCATION = 8  # times how far the two steps are apart: the shorter one is off by a third of that
REFUSALS = (  # of NumPy, of wrong arguments; and of a reference that needs a named one which a smaller case has not
    *(ValueError, IndexError, TypeError, ZeroDivisionError, KeyError, AttributeError, OverflowError),
    np.linalg.LinAlgError,
)
CONVERT: dict[str, Callable[[Any], Any]] = {"whole": lambda numbers: numbers}
SUBSTITUTES = {"float32": np.float64, "float16": np.float64, "bfloat16": np.float64, "complex64": np.complex128}


class Expected(Value, frozen=True):
    """The results, and by how much each element may be off; an infinite allowance lets everything pass."""

    results: tuple[Any, ...]
    allowed: tuple[Any, ...]


def unit(case: Case) -> float:
    """Return the largest relative rounding error of the coarsest dtype that a case computes in.

    Without floating arguments that is float32: random numbers come of whole ones.
    """
    return max((UNIT.get(name, 0.0) for name in dtypes(case)), default=0.0) or UNIT["float32"]


def dtypes(case: Case) -> list[str]:
    """List the dtypes that a case's numbers are in."""
    named = [
        word["dtype"] for step in case.steps for word in step.arguments if isinstance(word, dict) and "dtype" in word
    ]
    return [one.dtype for one in case.arrays] + named


def moving(case: Case) -> list[int]:
    """List the arrays by which a case is differentiated."""
    smooth = OPERATIONS[case.operation].smooth
    free = [k for k in range(len(case.arrays)) if (smooth if isinstance(smooth, bool) else k in smooth)]
    return [k for k in free if k not in case.still and case.arrays[k].is_smooth and not case.arrays[k].special]


def is_exact(case: Case) -> bool:
    """Return whether nothing is rounded in a case."""
    return all(OPERATIONS[step.function].exact for step in case.steps)


def terms(case: Case) -> int:
    """Return how many rounding errors can add up in one element, in units of the last place."""
    largest = max((int(np.prod(one.shape, dtype=int)) for one in case.arrays), default=8)
    return sum(FEW + (largest if OPERATIONS[step.function].accumulates else 0) for step in case.steps)


def expected(
    case: Case, other: int = 0, second: Sequence[int] = (), functions: Sequence[Reference | None] = ()
) -> Expected | None:
    """Return what a case must give; None where an operation of it has no reference.

    Args:
        case: what is run.
        other: which contents its arrays have: 0 its own.
        second: the arrays that have them; all by default.
        functions: what its steps are computed with; their references by default.
    """
    functions = functions or references(case)
    if any(one is None for one in functions):
        return None
    wanted = [other if not second or k in second else 0 for k in range(len(case.arrays))]
    arrays = [wide(one, contents(one, which)) for one, which in zip(case.arrays, wanted, strict=True)]
    with np.errstate(all="ignore"):
        results = _run(case, arrays, functions)
        if is_exact(case):
            return Expected(results=tuple(results), allowed=tuple(np.zeros(np.shape(one)) for one in results))
        draw = random.Random(0)  # noqa: S311
        moved = [_run(case, _beside(arrays, unit(case), draw), functions, draw) for _ in range(DRAWS)]
        allowed = [_allowance(case, one, [each[k] for each in moved], arrays) for k, one in enumerate(results)]
    return Expected(results=tuple(results), allowed=tuple(allowed))


def slope(case: Case, smooth: Sequence[int], ways: Sequence[Numbers]) -> tuple[Numbers, Numbers] | None:
    """Return a case's derivative along a direction by central differences, and by how much it may be off.

    Args:
        case: what is differentiated; None comes back where it has no reference.
        smooth: the arrays that move.
        ways: how each of them does.
    """
    if any(one is None for one in references(case)):
        return None
    arrays = [wide(one, contents(one)) for one in case.arrays]

    def at(length: float) -> Numbers:
        moved = list(arrays)
        for k, way in zip(smooth, ways, strict=True):
            moved[k] = arrays[k] + length * way
        real = [one.reshape(-1) for one in _run(case, moved, references(case)) if one.dtype.kind in "fc"]
        return np.concatenate(real) if real else np.zeros(0)

    with np.errstate(all="ignore"), contextlib.suppress(*REFUSALS):
        long, short = ((at(length) - at(-length)) / (2 * length) for length in (STEP, STEP / 2))
        largest = float(np.max(np.abs(at(0.0)), initial=0.0))
        rounding = FEW * UNIT["float64"] * terms(case) * (1 + largest) / STEP
        return short, TRUNCATION * np.abs(long - short) + rounding
    return None


def references(case: Case) -> list[Reference | None]:
    """Return what NumPy and SciPy compute a case's steps with, None where they have nothing."""
    return [OPERATIONS[step.function].reference for step in case.steps]


def wide(array: Array, values: Numbers) -> Numbers:
    """Return an array's values as precise as a reference computes with them."""
    return values.astype(SUBSTITUTES.get(array.dtype) or np.dtype(array.dtype))


def _run(
    case: Case, arrays: Sequence[Numbers], functions: Sequence[Reference | None], draw: random.Random | None = None
) -> list[Numbers]:
    """Make a case's calls; with `draw`, put the rounding error of every call but the last one on its result."""
    results: list[Numbers] = []
    for step, function in zip(case.steps, functions, strict=True):
        if results and draw is not None:
            size = unit(case) * terms(case)
            results = [_moved(one, size * _largest(one), draw) for one in results]
        assert function is not None
        results = [np.asarray(one) for one in called(function, structs.asdict(step), arrays, results, CONVERT)]
    return results


def _beside(arrays: Sequence[Numbers], size: float, draw: random.Random) -> list[Numbers]:
    return [_moved(one, size * np.abs(one), draw) if one.dtype.kind in "fc" else one for one in arrays]


def _moved(values: Numbers, size: Any, draw: random.Random) -> Numbers:
    if values.dtype.kind not in "fc":
        return values
    shares = np.array([draw.uniform(-1, 1) for _ in range(values.size)]).reshape(values.shape)
    return np.asarray(values + shares * size)


def _largest(values: Numbers) -> float:
    finite = np.abs(values[np.isfinite(values)]) if values.dtype.kind in "fc" else np.zeros(0)
    return float(finite.max(initial=0.0))


def _allowance(case: Case, result: Numbers, moved: Sequence[Numbers], arrays: Sequence[Numbers]) -> Numbers:
    """Return by how much each element may be off: its own rounding, that of all terms, and the arguments'."""
    if result.dtype.kind not in "fc":
        return np.zeros(result.shape)
    last = OPERATIONS[case.steps[-1].function]
    scale = np.abs(result)
    if len(case.steps) == 1 and last.bound is not None:
        scale = scale + np.abs(_bound(case, last, arrays))
    elif any(OPERATIONS[step.function].accumulates for step in case.steps) or len(case.steps) > 1:
        scale = np.maximum(scale, _largest(result))
    dtype = max(dtypes(case) or ["float32"], key=lambda name: UNIT.get(name, 0.0))
    errors = terms(case) if any(OPERATIONS[step.function].accumulates for step in case.steps) else FEW
    drift = sum(np.abs(one - result) for one in moved) * errors
    allowed = unit(case) * terms(case) * scale + drift + SMALLEST.get(dtype, 1e-38)
    unsure = np.zeros(result.shape, bool)
    for one in moved:  # at the edge of what is defined, or of what the dtype can hold
        unsure |= np.isfinite(one) != np.isfinite(result)
    unsure |= np.isfinite(result) & (scale > LARGEST.get(dtype, 3.4e38) / 16)
    return np.where(unsure, np.inf, np.where(np.isfinite(result), allowed, 0.0))


def _bound(case: Case, operation: Operation, arrays: Sequence[Numbers]) -> Numbers:
    absolute = [np.abs(one) if one.dtype.kind in "fc" else one for one in arrays]
    assert operation.bound is not None
    return np.asarray(called(operation.bound, structs.asdict(case.steps[0]), absolute, (), CONVERT)[0])
