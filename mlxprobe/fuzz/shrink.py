"""Make cases smaller while they still show the same, in rounds."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import msgspec

from mlxprobe.fuzz.batch import Batches, Seen
from mlxprobe.fuzz.case import Array, Case, Step
from mlxprobe.fuzz.discrepancy import FATAL, Discrepancy
from mlxprobe.fuzz.oracles import judged

Shown = tuple[Case, Discrepancy]
ROUNDS = 8
REPEATS = 3
MOST = 20  # attempts a round
FEW = 6  # where each needs a compiler
KERNELS = ("nn.Conv", "nn.AvgPool", "nn.MaxPool")  # larger than its array, one reads what is not there
PLACED = ("index", "unique")  # kinds whose values a smaller array may not hold
WHOLE = ("key", "made", "named", "optimizer", "layers", "clips")  # without `key` what is random differs on every run


class Both:
    """Run cases on two sides, for what only differs between them; what was seen has both."""

    def __init__(self, first: Batches, last: Batches) -> None:
        self.sides = (first, last)
        self.place, self.stop = last.place, last.stop

    def spread(self, cases: Sequence[Case], asked: Mapping[str, str]) -> dict[str, Seen]:
        """Return what was seen of each case on both, by ID."""
        with ThreadPoolExecutor(len(self.sides)) as pool:
            before, after = pool.map(lambda side: side.spread(cases, asked), self.sides)
        name = self.sides[0].name
        return {one: {"before": before[one], "after": after[one], "name": name} for one in before if one in after}


class Reducing:
    """Make what was found smaller, all of it in step: a round's attempts are spread over all workers."""

    def __init__(self, batches: Batches | Both, told: Callable[[str], None]) -> None:
        self._batches, self._told = batches, told

    def reduced(self, shown: Sequence[Shown]) -> list[Shown | None]:
        """Return the smallest case found for each that shows the same; None for what is not shown a second time."""
        fatal = [one for one in shown if one[1].oracle in FATAL]
        others = [one for one in shown if one[1].oracle not in FATAL]
        with ThreadPoolExecutor(self._batches.place.width) as pool:
            ends = pool.map(self._fatal, fatal)
            found = dict(zip(map(_key, others), self._rounds(others), strict=True))
            found |= dict(zip(map(_key, fatal), ends, strict=True))
        return [found[_key(one)] for one in shown]

    def _fatal(self, shown: Shown) -> Shown | None:
        """Make smaller what ends its process: the first of all attempts that does so too is kept."""
        assert isinstance(self._batches, Batches)  # how one side ends is no difference between two
        (now,) = self._repeated([shown])
        for _ in range(ROUNDS if now and shown[1].oracle != "hang" else 1):
            if not now or self._batches.stop.is_set():
                break
            self._told(f"making {now[0].id} smaller, which ends its process")
            attempts = _attempts(0, now)
            seen = self._batches.first_end(attempts, {one.id: shown[1].asks for one in attempts})
            if not (best := _smallest(attempts, seen, shown[1])):
                break
            now = best
        return now and _renamed(now, shown[0].id)

    def _rounds(self, shown: Sequence[Shown]) -> list[Shown | None]:
        now: list[Shown | None] = self._repeated(shown)
        going = {k for k, one in enumerate(now) if one}
        for number in range(ROUNDS):
            if not going or self._batches.stop.is_set():
                break
            self._told(f"making {len(going)} cases smaller, round {number + 1} of at most {ROUNDS}")
            tried = {k: _attempts(k, one) for k in sorted(going) if (one := now[k])}
            seen = self._run([(one, shown[k][1]) for k, cases in tried.items() for one in cases])
            for k, cases in tried.items():
                if best := _smallest(cases, seen, shown[k][1]):
                    now[k] = best
                else:
                    going.discard(k)
        return [one and _renamed(one, old[0].id) for one, old in zip(now, shown, strict=True)]

    def _repeated(self, shown: Sequence[Shown]) -> list[Shown | None]:
        """Run every case again in a fresh process, up to three times: what does not come again is no finding."""
        now: list[Shown | None] = [None] * len(shown)
        for attempt in range(REPEATS):
            missing = [k for k, one in enumerate(now) if one is None]
            if not missing or self._batches.stop.is_set():
                break
            again = {k: msgspec.structs.replace(shown[k][0], id=f"{shown[k][0].id}/r{k}") for k in missing}
            seen = self._run([(one, shown[k][1]) for k, one in again.items()], whole=attempt > 0)
            for k, one in again.items():
                now[k] = _smallest([one], seen, shown[k][1])
        return [one or shown[k] for k, one in enumerate(now)] if self._batches.stop.is_set() else now

    def _run(self, asked: Sequence[Shown], *, whole: bool = False) -> dict[str, Seen]:
        """Run cases in the modes that show what is looked for, or in all: what went before may matter."""
        asks = {} if whole else {one.id: found.asks for one, found in asked}
        return self._batches.spread([one for one, _ in asked], asks)


def _key(shown: Shown) -> tuple[str, ...]:
    return (shown[0].id, *shown[1].cause)


def _attempts(number: int, shown: Shown) -> list[Case]:
    case, found = shown
    few = FEW if found.oracle in ("compiled", "memory") else MOST
    rows = [one for one in smaller(case) if one.size < case.size][:few]
    root = case.id.partition("/")[0]
    return [msgspec.structs.replace(one, id=f"{root}/{number}.{k}") for k, one in enumerate(rows)]


def _smallest(cases: Sequence[Case], seen: Mapping[str, Seen], shown: Discrepancy) -> Shown | None:
    kept = [(one, found) for one in cases if one.id in seen and (found := same(one, seen[one.id], shown))]
    return min(kept, key=lambda pair: pair[0].size) if kept else None


def _renamed(shown: Shown, identity: str) -> Shown:
    change = msgspec.structs.replace
    return change(shown[0], id=identity), change(shown[1], case=identity)


def same(case: Case, seen: Seen, shown: Discrepancy) -> Discrepancy | None:
    """Return what a case shows by the same oracle in the same way."""
    found = [one for one in judged(case, seen) if one.is_like(shown)]
    return found[0] if found else None


def smaller(case: Case) -> Iterator[Case]:
    """Yield simpler cases, the boldest first; what is not valid any more shows nothing, and is dropped."""
    change: Callable[..., Case] = lambda **what: msgspec.structs.replace(case, **what)  # noqa: E731
    for k in range(1, len(case.steps)):
        yield change(steps=case.steps[:k])
    if len(case.steps) > 1 and len(case.arrays) == 1:
        first, *rest = case.steps[1:]
        yield change(steps=(Step(function=first.function, arguments=({"array": 0},)), *rest))
        for k in range(1, len(case.steps) - 1):
            yield change(steps=(*case.steps[:k], *case.steps[k + 1 :]))
    for arrays in _simpler(case):
        yield change(arrays=arrays)
    for k, axis in enumerate(case.axes):
        for other in (None, 0):
            if axis != other and any(one is not None for j, one in enumerate(case.axes) if j != k or other == 0):
                yield change(axes=(*case.axes[:k], other, *case.axes[k + 1 :]))
    if case.still:
        yield change(still=())
    for kept in _fewer(case.steps[0].keywords, WHOLE):
        yield change(steps=(msgspec.structs.replace(case.steps[0], keywords=kept), *case.steps[1:]))


def _fewer(named: dict[str, Any], needed: Sequence[str] = ()) -> Iterator[dict[str, Any]]:
    """Yield named arguments without one of them, without one part of those that have parts, with fewer layers.

    A call that lacks one of those that are needed is none: where anything ends its process, it would pass for smaller.
    """
    for name, value in named.items():
        if name not in needed:
            yield {key: other for key, other in named.items() if key != name}
        for less in _fewer(value) if isinstance(value, dict) else ():
            yield {**named, name: less}
        for k in range(len(value)) if name == "layers" and len(value) > 1 else ():
            yield {**named, name: type(value)([*value[:k], *value[k + 1 :]])}


def _simpler(case: Case) -> Iterator[tuple[Array, ...]]:
    """Yield arrays without views, special values and rare dtypes, with fewer and shorter axes."""
    change = msgspec.structs.replace
    yield tuple(change(one, layout="plain") for one in case.arrays)
    if any(one.is_float for one in case.arrays):
        yield tuple(change(one, dtype="float32") if one.is_float else one for one in case.arrays)
    if not any(one.kind in PLACED for one in case.arrays) and not case.operation.startswith(KERNELS):
        yield from _shorter(case)
    for k, one in enumerate(case.arrays):
        for word in one.special:
            rest = tuple(other for other in one.special if other != word)
            yield (*case.arrays[:k], change(one, special=rest), *case.arrays[k + 1 :])
        if one.layout != "plain":
            yield (*case.arrays[:k], change(one, layout="plain"), *case.arrays[k + 1 :])


def _shorter(case: Case) -> Iterator[tuple[Array, ...]]:
    change = msgspec.structs.replace
    deepest = max((len(one.shape) for one in case.arrays), default=0)
    if deepest > 1:
        yield tuple(change(one, shape=one.shape[len(one.shape) == deepest :]) for one in case.arrays)
    for side in sorted({side for one in case.arrays for side in one.shape if side > 1}, reverse=True):
        for less in dict.fromkeys((1, 2, side // 2, side - 1)):
            if less < side:
                yield tuple(
                    change(one, shape=tuple(less if each == side else each for each in one.shape))
                    for one in case.arrays
                )
