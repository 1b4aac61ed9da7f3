"""How many collectives an evaluation holds: none, of a value that lies beside the gradients, or of all but these."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from mlxprobe.agent.graph import lazy_graph
from mlxprobe.agent.hooks.collective_encoding import Row
from mlxprobe.agent.introspection import call_site

DRAWINGS = 4  # at each line
DRAWN = ("AllReduce", "AllGather", "ReduceScatter", 'Send"', 'Recv"')  # as MLX names them
MANY = 1_000_000
MOST_LAZY = 1  # steps: a drawing recurses as deep as the graph is


class Apart:
    """Draw what is evaluated, at each line the first few times; the most that it held then it is taken to hold."""

    def __init__(self) -> None:
        self.array: Any = None
        self._drawn: dict[tuple[call_site.Site, bool], tuple[int, int]] = {}

    def is_one(self, given: Sequence[Any]) -> bool:
        """Tell whether a single array is evaluated."""
        return len(given) == 1 and type(given[0]) is self.array

    def held(self, given: Sequence[Any], lazy_steps: int, *, counts: bool) -> int:
        """Return how many collectives the evaluation that is about to begin holds; `MANY` where nobody knows.

        Unless that `counts`, one is like many.
        """
        alone = self.is_one(given)
        key = call_site.calling(), alone
        times, most = self._drawn.get(key, (0, 0))
        if times < DRAWINGS and lazy_steps <= MOST_LAZY and (counts or not most):
            text = lazy_graph.drawn(list(given) if alone else lazy_graph.leaves(list(given)))
            times, most = times + 1, max(most, sum(map(text.count, DRAWN)))
            self._drawn[key] = times, most
        return most if times else MANY


def last(passed: list[Row], most: int) -> list[Row]:
    """Take the last so many of what was passed over: an evaluation has held as many, and no more."""
    first = max(0, len(passed) - max(0, most))
    found = passed[first:]
    del passed[first:]
    return found
