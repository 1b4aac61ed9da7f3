"""Keep a series short however long a program runs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

KEEP = 8000
HEAD = 20  # where a program starts, and what everything later is compared with
RECENT = 400

Value = TypeVar("Value")


def thin(values: list[Value], weight: Callable[[Value], Any], keep: int = KEEP) -> None:
    """Once there are more than `keep`, halve what is neither head nor recent: of two neighbours the heavier stays.

    Peaks outlast their surroundings, and the older a stretch, the coarser it gets.
    """
    if len(values) <= keep:
        return
    end = len(values) - RECENT - (len(values) - RECENT - HEAD) % 2
    pairs = zip(values[HEAD:end:2], values[HEAD + 1 : end : 2], strict=True)
    values[HEAD:end] = [max(pair, key=weight) for pair in pairs]
