"""Rows of ids that end in one that is repeated: padding, by its looks."""

from __future__ import annotations

from itertools import groupby
from typing import Any


def rows_of(ids: Any, shapes: set[tuple[int, ...]]) -> int:
    """Return how many rows flat ids come from: their own, or those of an argument as long, or longer by one."""
    own = [size for size in ids.shape if size > 1]
    if len(own) == 2:
        return int(own[0])
    return next((rows for rows, length in sorted(shapes) if ids.size in (rows * length, rows * (length - 1))), 0)


def tail(row: list[int], one: int | None) -> int:
    """Count how often a row repeats an id at its end."""
    return next((k for k, other in enumerate(reversed(row)) if other != one), len(row))


def longest_tail(rows: list[list[int]]) -> int:
    """Return the id that the row ends in that repeats its last one most often."""
    return max(rows, key=lambda row: tail(row, row[-1]))[-1]


def longest_run(row: list[int]) -> int:
    """Return how often in a row the same id follows itself at most, the first included."""
    return max((sum(1 for _ in same) for _, same in groupby(row)), default=0)
