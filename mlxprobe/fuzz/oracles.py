"""Hold what a case gave in each mode against the reference, and the modes against each other."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import msgspec
import numpy as np

from mlxprobe.fuzz import derivatives, jax_oracle
from mlxprobe.fuzz.array_values import Numbers
from mlxprobe.fuzz.case import Case
from mlxprobe.fuzz.child.array_codec import numbers_of
from mlxprobe.fuzz.discrepancy import ROUGH, Discrepancy, is_unsupported
from mlxprobe.fuzz.operations import OPERATIONS
from mlxprobe.fuzz.reference import REFUSALS, UNIT, Expected, expected, is_exact, terms, unit

Seen = dict[str, Any]
OTHER = "other side"  # the oracle that only compares: nothing says which side is right


class Judge:
    """Judge one case by what was seen of it."""

    def __init__(self, case: Case, seen: Seen) -> None:
        self.case = case
        self.seen = seen
        self.unsupported: list[str] = []

    @np.errstate(all="ignore")  # of what is not finite, which is a result as well
    def judge(self) -> list[Discrepancy]:
        """Return everything that is wrong with it."""
        if "fate" in self.seen:
            return [self._ended(self.seen, "")]
        found = list(self._beside())
        truth = _reference(self.case)
        if (value := self.seen.get("value")) is None:  # it was not asked
            return found
        if self._raises(value):
            return [*found, *self._refused(value, truth)]
        if truth is not None:
            found += self._compared("value", arrays_of(value), truth)
        elif (other := jax_oracle.values(self.case)) and shapes_of(other.results) == [
            one["shape"] for one in arrays_of(value)
        ]:
            found += self._compared(jax_oracle.JAX, arrays_of(value), other)
        found += self._modes(arrays_of(value), truth)
        found += self._grown()
        if truth is not None and len(self.case.steps) == 1:
            found += self._doubled(truth)
        derived = list(derivatives.judged(self.case, self.seen, self._found, self._raises))
        found += derived or jax_oracle.judged(self.case, self.seen, self._found, self._raises)
        return found

    def _beside(self) -> Iterator[Discrepancy]:
        if beside := self.seen.get("beside"):
            first, more = beside["with"][:3], len(beside["with"]) - 3
            yield self._ended(beside, f"after {', '.join(first)}{f' and {more} others' * (more > 0)} ")

    def _ended(self, fate: Seen, after: str) -> Discrepancy:
        mode = fate.get("mode", "")
        words = {"forward": "in forward mode", "reverse": "in reverse mode", "grows": "after many calls"}
        where = f", {words.get(mode, f'in {mode} mode')}" if mode not in ("", "value") else ""
        found = self._found(fate["fate"], fate["word"], f"{after}the process ended{where}: {fate['word']}")
        return msgspec.structs.replace(found, mode=mode)

    def _raises(self, mode: Any) -> bool:
        """Return whether a mode raised; note what MLX has not got."""
        if not isinstance(mode, dict) or "error" not in mode:
            return False
        if is_unsupported(mode["error"]):
            self.unsupported.append(mode["error"])
        return True

    def _refused(self, value: Seen, truth: Expected | None) -> Iterator[Discrepancy]:
        if truth is not None and not is_unsupported(value["error"]):
            yield self._found("value", "raises", f"it raises {value['error']}; NumPy has a result")

    def _modes(self, value: Sequence[Seen], truth: Expected | None) -> Iterator[Discrepancy]:
        """Hold copies, the compiled function and vmap against what is eager, each allowed as much as against exact."""
        for name, right in (("copy", value), ("compiled", value), ("vmap", self.seen.get("loop"))):
            mode = self.seen.get(name)
            if mode is None or right is None or (self._raises(mode) and is_unsupported(mode["error"])):
                continue
            if self._raises(right):
                continue
            if self._raises(mode):
                yield self._found(name, "raises", f"it raises {mode['error']}; without it there is a result")
                continue
            exact = self._stacked() if name == "vmap" else truth
            shapes = [one["shape"] for one in arrays_of(right)]
            allowed = exact.allowed if exact is not None else ()
            if [list(np.shape(one)) for one in allowed] != shapes:
                allowed = tuple(self._usual(one) for one in arrays_of(right))
            yield from self._alike(name, arrays_of(mode), arrays_of(right), allowed)

    def _stacked(self) -> Expected | None:
        """Return what both contents must give that vmap sees."""
        first = _reference(self.case)
        second = _reference(self.case, 1, [k for k, axis in enumerate(self.case.axes) if axis is not None])
        if first is None or second is None:
            return None
        pairs = [zip(getattr(first, name), getattr(second, name), strict=True) for name in ("results", "allowed")]
        results, allowed = (tuple(np.stack(pair) for pair in each) for each in pairs)
        return Expected(results=results, allowed=allowed)

    def _usual(self, right: Seen) -> Numbers:
        """Return what rounding explains where there is no reference: all terms' errors, of the largest element."""
        values = numbers_of(right)
        if is_exact(self.case) or values.dtype.kind not in "fc":
            return np.zeros(values.shape)
        finite = np.abs(values[np.isfinite(values)])
        return np.full(values.shape, unit(self.case) * terms(self.case) * (1 + float(finite.max(initial=0.0))))

    def _alike(
        self, oracle: str, mode: Sequence[Seen], right: Sequence[Seen], allowed: Sequence[Numbers]
    ) -> Iterator[Discrepancy]:
        if [one["dtype"] for one in mode] != [one["dtype"] for one in right]:
            told = f"it gives {_words(mode, 'dtype')}; without it {_words(right, 'dtype')}"
            yield self._found(oracle, "dtype", told)
        twice = Expected(
            results=tuple(numbers_of(one) for one in right), allowed=tuple(2 * np.asarray(one) for one in allowed)
        )
        yield from self._compared(oracle, mode, twice)

    def _compared(self, oracle: str, given: Sequence[Seen], truth: Expected) -> Iterator[Discrepancy]:
        """Compare results with what they must be."""
        shapes = shapes_of(truth.results)
        if [one["shape"] for one in given] != shapes:
            yield self._found(oracle, "shape", f"its shape is {_words(given, 'shape')}; right is {shapes}")
            return
        for one, right, allowed in zip(given, truth.results, truth.allowed, strict=True):
            worst = furthest(numbers_of(one), as_dtype(np.asarray(right), one["dtype"]), np.asarray(allowed))
            if worst is not None:
                place, excess, kind = worst
                where = [int(k) for k in place]
                told = f"element {where} is {numbers_of(one)[place]}; right is {np.asarray(right)[place]}"
                yield self._found(oracle, kind, told, excess)
                return

    def _doubled(self, truth: Expected) -> Iterator[Discrepancy]:
        """Hold the results in float64 against the reference, as precisely as that allows."""
        wide = self.seen.get("wide")
        if wide is None or self._raises(wide) or any(one["dtype"] != "float64" for one in wide["value"]):
            return
        if any(np.asarray(one).dtype.kind != "f" for one in truth.results) or len(truth.results) != len(wide["value"]):
            return
        for share, kind in ((UNIT["float32"] / unit(self.case), ""), (UNIT["float64"] / unit(self.case), ROUGH)):
            finer = Expected(results=truth.results, allowed=tuple(one * share for one in truth.allowed))
            found = list(self._compared("float64", wide["value"], finer))
            yield from (msgspec.structs.replace(one, kind=kind or one.kind) for one in found)
            if found:
                return

    def _grown(self) -> Iterator[Discrepancy]:
        grows = self.seen.get("grows", {})
        for way, held in grows.items() if not self._raises(grows) else ():
            for what, more in held.items() if not self._raises(held) else ():
                if (least := min(more, default=0)) > 0:
                    told = f"every further {way} call leaves about {least:.0f} bytes behind, in the {what}"
                    size = "bytes" if least < 1024 else "kilobytes" if least < 2**20 else "megabytes"
                    yield self._found("memory", f"{way}, {what}, {size}", told)

    def _found(self, oracle: str, kind: str, message: str, excess: float = 0.0, *, proved: bool = True) -> Discrepancy:
        return Discrepancy(
            case=self.case.id,
            operation=self.case.operation,
            oracle=oracle,
            kind=kind,
            message=message,
            excess=float(excess),
            proved=proved,
        )


def judged(case: Case, seen: Seen) -> list[Discrepancy]:
    """Judge what one side gave, or hold what two gave against each other (see `reduce.Both`)."""
    if "before" in seen:
        return between(case, seen["before"], seen["after"], seen["name"])
    return Judge(case, seen).judge()


@np.errstate(all="ignore")
def between(case: Case, before: Seen, after: Seen, name: str) -> list[Discrepancy]:
    """Compare what two sides gave, of which `name` was first, where no reference tells who is right."""
    if OTHER in OPERATIONS[case.operation].without or _reference(case) is not None:
        return []
    one, other = Judge(case, before), Judge(case, after)
    old, new = before.get("value"), after.get("value")
    if not isinstance(old, list) or new is None:
        return []
    if isinstance(new, list):
        found = list(other._alike(OTHER, new, old, [one._usual(right) for right in old]))
    else:
        told = f"it raises {new['error']}; on mlx {name} there is a result"
        found = [] if is_unsupported(new["error"]) else [other._found(OTHER, "raises", told)]
    words = (("without it", f"mlx {name} gives"), ("right is", f"mlx {name} gives"))
    return [msgspec.structs.replace(each, proved=False, message=_put(each.message, words)) for each in found]


def _put(text: str, words: Sequence[tuple[str, str]]) -> str:
    for old, new in words:
        text = text.replace(old, new)
    return text


def _reference(case: Case, other: int = 0, second: Sequence[int] = ()) -> Expected | None:
    try:
        return expected(case, other, second)
    except REFUSALS:
        return None


def shapes_of(arrays: Sequence[Any]) -> list[list[int]]:
    """Return the shapes of arrays."""
    return [list(np.shape(one)) for one in arrays]


def arrays_of(mode: Any) -> list[Seen]:
    """Return the arrays that a mode gave."""
    return mode if isinstance(mode, list) else []


def as_dtype(values: Numbers, dtype: str) -> Numbers:
    """Return exact results as a dtype of whole numbers holds them: those wrap around."""
    return values.astype(dtype) if "int" in dtype or dtype == "bool" else values


def furthest(given: Numbers, right: Numbers, allowed: Numbers) -> tuple[tuple[int, ...], float, str] | None:
    """Return the place that is off the furthest, by how many times what is allowed, and how; None where none is."""
    if given.dtype.kind not in "fc" and right.dtype.kind not in "fc":
        wrong = np.argwhere(given != right)
        return (tuple(wrong[0]), 0.0, "numbers") if len(wrong) else None
    with np.errstate(all="ignore"):
        finite = np.isfinite(given) & np.isfinite(right)
        same = (given == right) | (np.isnan(given) & np.isnan(right)) | np.isinf(allowed)
        other = np.argwhere(~finite & ~same)
        if len(other):
            return tuple(other[0]), 0.0, "not finite"
        off = np.where(finite & ~same, np.abs(given - right), 0.0)
        excess = np.where(off > allowed, off / np.maximum(allowed, 1e-300), 0.0)
    place = np.unravel_index(int(np.argmax(excess)), excess.shape) if excess.size else ()
    return (tuple(map(int, place)), float(excess[place]), "numbers") if excess.size and excess[place] > 1 else None


def _words(given: Sequence[Seen], what: str) -> str:
    return str([one[what] for one in given])
