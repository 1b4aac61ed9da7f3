"""JAX on the CPU, where it is installed: what it computes in float64, values and both derivatives, against MLX's."""

from __future__ import annotations

import contextlib
import importlib
import importlib.util
import sys
import warnings
from collections.abc import Callable, Iterator, Sequence
from functools import cache
from typing import Any, NamedTuple

import msgspec
import numpy as np

from mlxprobe.fuzz.array_values import Numbers, contents
from mlxprobe.fuzz.case import Case
from mlxprobe.fuzz.child.arguments import called
from mlxprobe.fuzz.child.array_codec import numbers_of
from mlxprobe.fuzz.derivatives import BEYOND, based, flat
from mlxprobe.fuzz.discrepancy import Discrepancy
from mlxprobe.fuzz.operations.registry import Reference
from mlxprobe.fuzz.reference import CONVERT, FEW, REFUSALS, UNIT, Expected, expected, terms, wide

JAX = "jax"
MODES = {"jvp": "forward mode", "vjp": "reverse mode"}
REFUSED = (*REFUSALS, NotImplementedError)

Seen = dict[str, Any]


class Slopes(NamedTuple):
    """Both derivatives of a case, flat, and the largest number that it gives."""

    jvp: Numbers
    vjp: Numbers
    largest: float


@cache
def is_there() -> bool:
    """Return whether JAX can be asked."""
    return importlib.util.find_spec(JAX) is not None


@contextlib.contextmanager
def _precise() -> Iterator[Any]:
    """Give JAX, which computes on the CPU in double precision meanwhile, and warns of nothing."""
    fresh = JAX not in sys.modules
    jax = importlib.import_module(JAX)
    if fresh:  # no other device is looked for
        jax.config.update("jax_platforms", "cpu")
    doubled = jax.enable_x64 if hasattr(jax, "enable_x64") else importlib.import_module("jax.experimental").enable_x64
    with doubled(True), jax.default_device(jax.devices("cpu")[0]), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield jax


def counterparts(case: Case) -> list[Reference | None]:
    """Return what JAX computes a case's steps with; nothing where it is not installed, or one step has nothing."""
    if not is_there():
        return []
    found = importlib.import_module("mlxprobe.fuzz.jax_ops").counterpart
    listed = [found(step.function) for step in case.steps]
    return [] if None in listed else listed


def values(case: Case) -> Expected | None:
    """Return what a case must give, by JAX; None where it cannot tell."""
    if functions := counterparts(case):
        with _precise(), contextlib.suppress(*REFUSED):
            return expected(case, functions=functions)
    return None


def judged(
    case: Case, seen: Seen, found: Callable[..., Discrepancy], raises: Callable[[Any], bool]
) -> Iterator[Discrepancy]:
    """Hold both derivatives against JAX's, element by element."""
    base = based(case, seen, raises)
    if base is None or not counterparts(case):
        return
    with _precise(), contextlib.suppress(*REFUSED):
        points = slopes(case, base)
        for name, mode in MODES.items():
            if not raises(base[name]) and (told := _apart(case, flat(base[name]), points, name)):
                yield found(JAX, mode, *told)


def _apart(case: Case, given: Numbers, points: Sequence[Slopes], name: str) -> tuple[str, float] | None:
    """Compare one derivative; as much as it moves with the last bits of the point is allowed, at a kink everything."""
    right, *beside = (getattr(one, name) for one in points)
    sure = all(np.isfinite(one).all() and np.all(np.abs(one) < BEYOND) for one in (right, *beside))
    if given.shape != right.shape or not given.size or not sure:
        return None
    size = max(1.0, points[0].largest, float(np.max(np.abs(right))))
    drift = sum(np.abs(one - right) for one in beside) * (terms(case) if len(case.steps) > 1 else FEW)
    off = np.where(np.isfinite(given), np.abs(given - right), np.inf)
    excess = off / (UNIT["float32"] * terms(case) * size + drift)
    if excess[worst := int(np.argmax(excess))] <= 1:
        return None
    return f"{name} gives {given[worst]:.9g} at element {worst}; JAX gives {right[worst]:.9g}", float(excess[worst])


def slopes(case: Case, seen: Seen) -> list[Slopes]:
    """Return a case's derivatives along and against what it was asked, at its point and at two points beside it."""
    ways, weights = ([numbers_of(one) for one in seen[name]] for name in ("ways", "weights"))
    arrays, free = [wide(one, contents(one)) for one in case.arrays], seen["smooth"]

    def run(*moving: Any) -> list[Any]:
        put = dict(zip(free, moving, strict=True))
        return _run(case, [put.get(k, one) for k, one in enumerate(arrays)])

    signs = [np.sign(np.sin(np.arange(arrays[k].size) + k)).reshape(arrays[k].shape) for k in free]
    both = importlib.import_module(JAX).jit(_both(run, ways, weights))
    steps = (0, UNIT["float32"], -UNIT["float32"])
    points = [[arrays[k] * (1 + step * way) for k, way in zip(free, signs, strict=True)] for step in steps]
    return [_told(*both(*point)) for point in points]


def _told(results: Sequence[Any], forward: Sequence[Any], reverse: Sequence[Any]) -> Slopes:
    value, ahead, back = (
        np.concatenate([np.zeros(0), *(np.asarray(one).reshape(-1) for one in part)])
        for part in (results, forward, reverse)
    )
    return Slopes(ahead, back, float(np.max(np.abs(value), initial=0.0)))


def _run(case: Case, arrays: Sequence[Any]) -> list[Any]:
    """Make a case's calls in JAX; list what is not whole numbers."""
    import jax.numpy as jnp

    results: list[Any] = []
    for function, step in zip(counterparts(case), case.steps, strict=True):
        assert function is not None
        results = called(function, msgspec.structs.asdict(step), arrays, results, CONVERT)
    return [one for one in map(jnp.asarray, results) if jnp.issubdtype(one.dtype, jnp.inexact)]


def _both(run: Callable[..., list[Any]], ways: Sequence[Numbers], weights: Sequence[Numbers]) -> Callable[..., Any]:
    """Return a function of what moves: results, derivatives along the ways and, of the weights, backwards.

    JAX's gradients of complex numbers are the conjugates of MLX's.
    """
    import jax
    import jax.numpy as jnp

    def both(*moving: Any) -> Any:
        along = [jnp.asarray(way, one.dtype) for way, one in zip(ways, moving, strict=True)]
        results, ahead = jax.jvp(run, moving, tuple(along))
        against = [jnp.conj(jnp.asarray(by, one.dtype)) for by, one in zip(weights, results, strict=True)]
        return results, ahead, [jnp.conj(one) for one in jax.vjp(run, *moving)[1](against)]

    return both
