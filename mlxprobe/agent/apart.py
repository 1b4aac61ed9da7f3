"""Which evaluations hold no collective: of a value that lies beside the gradients, of all but what was reduced."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from mlxprobe.agent import graph, sites

DRAWINGS = 4  # at each line
DRAWN = ("AllReduce", "AllGather", "ReduceScatter", 'Send"', 'Recv"')  # as MLX names them
MOST_LAZY = 1  # steps: a drawing recurses as deep as the graph is


class Apart:
    """Draw what is evaluated, at each line the first few times; what held none then is taken to hold none."""

    def __init__(self) -> None:
        self.array: Any = None
        self._drawn: dict[tuple[sites.Site, bool], tuple[int, bool]] = {}

    def is_one(self, given: Sequence[Any]) -> bool:
        """Tell whether a single array is evaluated."""
        return len(given) == 1 and type(given[0]) is self.array

    def holds_none(self, given: Sequence[Any], lazy_steps: int) -> bool:
        """Tell whether the evaluation that is about to begin holds no collective; False where unknown."""
        if not given:
            return False
        alone = self.is_one(given)
        key = sites.calling(), alone
        times, apart = self._drawn.get(key, (0, True))
        if times < DRAWINGS and apart and lazy_steps <= MOST_LAZY:
            text = graph.drawn(list(given) if alone else graph.leaves(list(given)))
            times, apart = times + 1, not any(word in text for word in DRAWN)
            self._drawn[key] = times, apart
        return apart and times > 0
