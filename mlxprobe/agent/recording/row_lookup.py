"""Where the rows of a batch lie in the larger arrays that a program holds."""

from __future__ import annotations

import math
import re
from typing import Any

from mlxprobe.agent.graph import lazy_graph
from mlxprobe.agent.introspection.trees import is_array
from mlxprobe.agent.recording import source_arrays
from mlxprobe.agent.recording.row_ledger import hashes

COLUMNS, MOST = 32, 1 << 18  # of a row, by which it is known; numbers of a whole that are compared
ROWS = 32  # of a batch
WHOLES = 8
WIDE, BY_CHANCE = 16, 1e-3  # bits of a column whose numbers are all different; rows that are equal
KEPT = re.compile(r"(^|[._])(val|valid|validation|test|dev|holdout|heldout)($|[._\d])|(^|[._])[xX]_?(va|te|val|test)$")
TURNS: tuple[tuple[int, ...], ...] = ((), (1,), (2,), (1, 2))


def is_table(one: Any) -> bool:
    """Tell whether an array has rows of several numbers each."""
    return len(one.shape) > 1 and one.shape[0] > 1 and one.size // one.shape[0] >= 4


def candidates(batches: list[Any]) -> list[tuple[str, Any]]:
    """List what the program's functions hold that has as many rows as a batch, or more; the smallest first."""
    least = min(int(one.shape[0]) for one in batches)
    every = [
        (name, one) for name, one in source_arrays.held() if len(one.shape) and one.nbytes <= source_arrays.MOST_BYTES
    ]
    every = [pair for pair in every if pair[1].shape[0] >= least and is_known_kind(pair[1])]
    return sorted(every, key=lambda pair: int(pair[1].shape[0]))


def is_known_kind(one: Any) -> bool:
    """Tell whether an array is of numbers that MLX has, too."""
    return any(kind in str(one.dtype) for kind in ("float", "int", "bool"))


def keys(one: Any, columns: int = COLUMNS) -> Any:
    """Return some numbers of each row."""
    import mlx.core as mx

    flat = one.reshape(one.shape[0], -1)
    some = flat[:, :: -(-flat.shape[1] // columns)]
    return (some if is_array(some) else mx.array(some)).astype(mx.float32)


def columns_of(whole: Any) -> int:
    """Return how many numbers of each row of an array may be compared."""
    return min(COLUMNS, MOST // max(1, int(whole.shape[0])))


def matches(batch: Any, whole: Any) -> list[list[int]]:
    """List for each of a batch's first rows where it lies in another array.

    By some numbers of each row; what is found so is compared in full at the first of its places.
    """
    columns, some = columns_of(whole), batch[:ROWS]
    if not columns:
        return []
    mine = list(hashes(keys(some, columns)))
    places: dict[int, list[int]] = {key: [] for key in mine}
    for place, key in enumerate(hashes(keys(whole, columns))):
        if key in places:
            places[key].append(place)
    found = [places[key] for key in mine]
    there = hashes(taken(whole, [each[0] if each else 0 for each in found]))
    return [each if one == other else [] for each, one, other in zip(found, hashes(some), there, strict=True)]


def repeated(whole: Any) -> tuple[int, int]:
    """Count some rows of an array, and those of them that come again in it: rows that are drawn from few kinds.

    None repeats so where one column alone tells all different rows apart, as measured numbers do: these are copies.
    """
    found = matches(whole, whole)
    rows = lazy_graph.rows(keys(whole[: len(found)])) if found else []
    different = len(set(map(tuple, rows)))
    if any(len(set(column)) == different for column in zip(*rows, strict=True)):
        return len(rows), 0
    return len(rows), sum(len(places) > 1 for places in found)


def tells_apart(batch: Any, whole: Any) -> bool:
    """Tell whether rows like a batch's are hardly ever equal to one of another array by chance, as rows of bits are."""
    columns = zip(*keys(batch[:ROWS], columns_of(whole)).tolist(), strict=True) if columns_of(whole) else ()
    kinds = [len(set(column)) for column in columns]
    bits = sum(WIDE if count >= min(ROWS, batch.shape[0]) else math.log2(count) for count in kinds)
    return bool(whole.shape[0] * 2.0**-bits < BY_CHANCE)


def positions(batch: Any, whole: Any) -> list[int | None]:
    """List where the first rows of a batch lie in another array; None for what lies nowhere, or at several places."""
    return [places[0] if len(places) == 1 else None for places in matches(batch, whole)]


def starts(mine: list[float], values: list[float]) -> bool:
    """Tell whether numbers lie among others in a row."""
    ends = len(values) - len(mine)
    return any(values[k : k + len(mine)] == mine for k, one in enumerate(values) if one == mine[0] and k <= ends)


def is_in_a_row(places: list[int | None]) -> bool:
    """Tell whether rows lie one after another."""
    first = places[0] if places else None
    return first is not None and places == list(range(first, first + len(places)))


def turned(one: Any, axes: tuple[int, ...]) -> Any:
    """Turn the rows of an array round, along some of their axes."""
    import mlx.core as mx

    for axis in axes:
        one = mx.take(one, mx.arange(one.shape[axis])[::-1], axis=axis)
    return one


def taken(whole: Any, places: list[int]) -> Any:
    """Return some rows of an array of MLX's or NumPy's."""
    import mlx.core as mx

    return whole[mx.array(places)] if is_array(whole) else mx.array(whole[places])


def is_ordered(whole: Any) -> bool:
    """Tell whether rows resemble those beside them: what was measured one after another."""
    import mlx.core as mx

    some = keys(whole[:512])
    near, far = (mx.mean(mx.square(some[k:] - some[:-k])).item() for k in (1, 37)) if len(some) > 100 else (0.0, 1.0)
    return bool(near < 0.8 * far)


def is_standard(whole: Any) -> bool:
    """Tell whether each column has a mean of 0 and a deviation of 1, to the last digits."""
    import mlx.core as mx

    some, rows = keys(whole), int(whole.shape[0])
    if rows < ROWS or not lazy_graph.numbers(mx.any(mx.std(some, axis=0) > 0)):
        return False
    off = mx.max(mx.abs(mx.mean(some, axis=0))).item()
    deviations = lazy_graph.numbers(mx.std(some, axis=0))
    fine = all(abs(one - 1) < 1e-4 or abs(one * (rows / (rows - 1)) ** 0.5 - 1) < 1e-4 for one in deviations)
    return bool(off < 1e-4 and fine)
