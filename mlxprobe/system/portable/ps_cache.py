"""What is asked for again and again, and costs milliseconds; on a busy machine a second."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Generic, TypeVar

T = TypeVar("T")
FRESH_S = 0.01  # processes that are looked at together are asked for together


class Told(Generic[T]):
    """An answer that holds for as long as it took to get: asking takes half of our time at the most."""

    def __init__(self, ask: Callable[[], T]) -> None:
        self._ask = ask
        self._known: tuple[T, float] | None = None  # and until when it holds

    def now(self) -> T:
        """Return the answer."""
        began_s = time.monotonic()
        if self._known is None or began_s > self._known[1]:
            found, ended_s = self._ask(), time.monotonic()
            self._known = found, ended_s + max(FRESH_S, ended_s - began_s)
        return self._known[0]
