"""Make a case smaller while it still shows the same: in rounds, each one batch, and so crashes too."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import msgspec

from mlxprobe.fuzz.batch import Batches
from mlxprobe.fuzz.case import Array, Case, Step
from mlxprobe.fuzz.discrepancy import Discrepancy
from mlxprobe.fuzz.oracles import Judge

ROUNDS = 8
MOST = 30  # attempts a round
PLACED = ("index", "unique")  # kinds whose values a smaller array may not hold


def reduced(case: Case, shown: Discrepancy, batches: Batches) -> tuple[Case, Discrepancy]:
    """Return the smallest case found that shows the same by the same oracle, and what is seen of it."""
    for _ in range(ROUNDS):
        named = [
            msgspec.structs.replace(one, id=f"{case.id}/{k}")
            for k, one in enumerate([one for one in smaller(case) if one.size < case.size][:MOST])
        ]
        seen = batches.run(named)
        kept = [(one, found) for one in named if one.id in seen and (found := same(one, seen[one.id], shown))]
        if not kept or batches.stop.is_set():
            break
        case, shown = min(kept, key=lambda pair: pair[0].size)
        case = msgspec.structs.replace(case, id=shown.case.partition("/")[0])
    return case, msgspec.structs.replace(shown, case=case.id)


def same(case: Case, seen: dict[str, object], shown: Discrepancy) -> Discrepancy | None:
    """Return what a case shows by the same oracle in the same way."""
    found = [one for one in Judge(case, seen).judge() if (one.oracle, one.kind) == (shown.oracle, shown.kind)]
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
    for name in case.steps[0].keywords:
        kept = {key: value for key, value in case.steps[0].keywords.items() if key != name}
        yield change(steps=(msgspec.structs.replace(case.steps[0], keywords=kept), *case.steps[1:]))


def _simpler(case: Case) -> Iterator[tuple[Array, ...]]:
    """Yield arrays without views, special values and rare dtypes, with fewer and shorter axes."""
    change = msgspec.structs.replace
    yield tuple(change(one, layout="plain") for one in case.arrays)
    if any(one.is_float for one in case.arrays):
        yield tuple(change(one, dtype="float32") if one.is_float else one for one in case.arrays)
    if not any(one.kind in PLACED for one in case.arrays):
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
