"""Forward mode, reverse mode and finite differences, each against the others; half precision against float64."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from mlxprobe.fuzz.array_values import Numbers
from mlxprobe.fuzz.case import Case
from mlxprobe.fuzz.child.array_codec import numbers_of
from mlxprobe.fuzz.discrepancy import Discrepancy
from mlxprobe.fuzz.reference import FEW, LARGEST, UNIT, slope, terms, unit

Seen = dict[str, Any]
Finds = Callable[..., Discrepancy]
SURE = 0.05  # of the derivative, so precise must differences be to tell which mode is wrong
BEYOND = 1e15  # no derivative of a healthy case


def judged(case: Case, seen: Seen, found: Finds, raises: Callable[[Any], bool]) -> Iterator[Discrepancy]:
    """Judge the derivatives of a case, in float64 where MLX has it, else in float32."""
    if (base := based(case, seen, raises)) is None:
        return
    wrong = list(_modes(case, base, found, raises))
    yield from wrong
    if base is not seen["derivative"] and not wrong:
        yield from _precision(case, seen["derivative"], base, found, raises)


def based(case: Case, seen: Seen, raises: Callable[[Any], bool]) -> Seen | None:
    """Return the derivatives that are judged: those in float64, or in float32; None where there are none."""
    narrow, wide = seen.get("derivative"), seen.get("wide")
    if narrow is None or raises(narrow):
        return None
    if wide is not None and not raises(wide):
        return wide  # type: ignore[no-any-return]
    return narrow if unit(case) == UNIT["float32"] else None


def _modes(case: Case, seen: Seen, found: Finds, raises: Callable[[Any], bool]) -> Iterator[Discrepancy]:
    """Hold both modes against finite differences of the reference, and against each other."""
    forward, reverse = seen["jvp"], seen["vjp"]
    has_forward, has_reverse = not raises(forward), not raises(reverse)
    ways, weights = flat(seen["ways"]), flat(seen["weights"])
    exact = slope(case, seen["smooth"], [numbers_of(one) for one in seen["ways"]])
    sides: list[Discrepancy] = []
    drift = _drift(case, seen, raises)
    if exact is not None:
        right, vague = exact
        vague = vague + UNIT["float32"] * terms(case) * (1 + np.abs(right))
        vague = vague + (drift if np.shape(drift) == vague.shape else 0.0)
        sides += _forward(flat(forward), right, vague, found) if has_forward else ()
        sides += _reverse(flat(reverse), ways, weights, right, vague, found) if has_reverse else ()
    if has_forward and has_reverse and not sides:
        moved = float(np.abs(weights) @ drift) if np.shape(drift) == weights.shape else 0.0
        sides += _dot(case, flat(forward), flat(reverse), ways, weights, moved, found)
    yield from sides


def _drift(case: Case, seen: Seen, raises: Callable[[Any], bool]) -> Any:
    """Return how far the derivative moves where arguments are rounded to float32, as some functions do inside."""
    every = [seen["jvp"], *(one["jvp"] for one in seen.get("moved", ()))]
    here, *beside = [flat(one) for one in every if not raises(one)] or [np.zeros(0)]
    return sum(np.abs(one - here) for one in beside if one.shape == here.shape and _usable(one, here)) * terms(case)


def _forward(forward: Numbers, slope: Numbers, vague: Numbers, found: Finds) -> Iterator[Discrepancy]:
    if forward.shape != slope.shape or not _usable(forward, slope, vague):
        return
    excess = np.abs(forward - slope) / vague
    if excess.size and (worst := int(np.argmax(excess))) is not None and _proves(forward, slope, vague, worst):
        told = f"jvp gives {_said(forward[worst])} at element {worst}; differences give {_said(slope[worst])}"
        yield found("forward mode", "numbers", told, float(excess[worst]))


def _reverse(
    reverse: Numbers, ways: Numbers, weights: Numbers, slope: Numbers, vague: Numbers, found: Finds
) -> Iterator[Discrepancy]:
    if len(weights) != len(slope) or len(reverse) != len(ways) or not _usable(reverse, slope, vague):
        return
    ours, right = np.array([_along(reverse, ways)]), np.array([_along(weights, slope)])
    off = np.array([np.abs(weights) @ vague + 4 * UNIT["float32"] * (np.abs(reverse) @ np.abs(ways))])
    if _proves(ours, right, off, 0):
        told = f"vjp along the direction gives {ours[0]:.9g}; differences give {right[0]:.9g}"
        yield found("reverse mode", "numbers", told, float(abs(ours[0] - right[0]) / off[0]))


def _dot(
    case: Case, forward: Numbers, reverse: Numbers, ways: Numbers, weights: Numbers, moved: float, found: Finds
) -> Iterator[Discrepancy]:
    """Compare ⟨u, Jv⟩ with ⟨Jᵀu, v⟩: they are equal for every linear map, whatever the function.

    Of complex numbers the real part is: so they are for maps that are linear in real and imaginary parts alone.
    """
    if len(forward) != len(weights) or len(reverse) != len(ways):
        yield found("forward against reverse", "shape", f"{len(forward)} and {len(reverse)} numbers come back")
        return
    if not _usable(forward, reverse):
        return
    ahead, back = _along(weights, forward), _along(reverse, ways)
    sizes = np.abs(weights) @ (1 + np.abs(forward)) + (1 + np.abs(reverse)) @ np.abs(ways)  # of what cancels out, too
    allowed = UNIT["float32"] * terms(case) * sizes + moved
    if abs(ahead - back) > allowed:
        told = f"⟨u, Jv⟩ is {ahead:.9g}, ⟨Jᵀu, v⟩ is {back:.9g}"
        yield found("forward against reverse", "numbers", told, abs(ahead - back) / allowed)


def _precision(
    case: Case, narrow: Seen, wide: Seen, found: Finds, raises: Callable[[Any], bool]
) -> Iterator[Discrepancy]:
    """Hold derivatives in the case's dtype against those in float64."""
    dtype = max((one.dtype for one in case.arrays), key=lambda name: UNIT.get(name, 0.0))
    for name, oracle in (("jvp", "forward mode"), ("vjp", "reverse mode")):
        if raises(narrow[name]) or raises(wide[name]):
            continue
        given, right = flat(narrow[name]), flat(wide[name])
        sides = [flat(one[name]) for one in wide["moved"] if not raises(one[name])]
        if given.shape != right.shape or any(one.shape != right.shape for one in sides):
            yield found(oracle, "shape", f"{name} has {given.size} numbers; in float64 {right.size}")
            continue
        if not _usable(right, *sides) or float(np.max(np.abs(right), initial=0.0)) > LARGEST.get(dtype, 1.0) / 16:
            continue
        errors = terms(case) if len(case.steps) > 1 else FEW  # what one call rounds, the next ones may magnify
        drift = sum(np.abs(one - right) for one in sides) * errors * unit(case) / UNIT["float32"]
        largest = max(1.0, float(np.max(np.abs(right), initial=0.0)), _largest(wide["value"]))
        allowed = unit(case) * terms(case) * largest + drift
        excess = np.where(np.isfinite(given), np.abs(given - right), np.inf) / allowed
        if excess.size and excess[worst := int(np.argmax(excess))] > 1:
            kind = "precision" if np.isfinite(given[worst]) else "not finite"
            told = f"{name} in {dtype} gives {given[worst]:.6g} at element {worst}; in float64 {right[worst]:.6g}"
            yield found(oracle, kind, told, float(excess[worst]))


def _largest(arrays: Sequence[Seen]) -> float:
    return float(np.max(np.abs(flat(arrays)), initial=0.0))


def flat(arrays: Sequence[Seen]) -> Numbers:
    """Return the numbers of all arrays in one row."""
    return np.concatenate([np.zeros(0), *(numbers_of(one).reshape(-1) for one in arrays)])


def _along(left: Numbers, right: Numbers) -> float:
    return float(np.vdot(left, right).real)


def _said(number: Any) -> str:
    return f"{number:.9g}"


def _usable(*numbers: Numbers) -> bool:
    return all(np.isfinite(one).all() and np.all(np.abs(one) < BEYOND) for one in numbers)


def _proves(given: Numbers, right: Numbers, vague: Numbers, place: int) -> bool:
    """Return whether a difference is beyond doubt: larger than what is vague, and that is small against the whole."""
    off = abs(given[place] - right[place])
    return bool(off > vague[place] and vague[place] < SURE * max(abs(given[place]), abs(right[place])) + 1e-9)
