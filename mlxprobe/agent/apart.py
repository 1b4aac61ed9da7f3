"""Which evaluations hold no collective: those of a value that lies beside the gradients, as a loss that is printed."""

from __future__ import annotations

from typing import Any

from mlxprobe.agent import graph, sites

DRAWINGS = 4  # at each line
DRAWN = ("AllReduce", "AllGather", "ReduceScatter", 'Send"', 'Recv"')  # as MLX names them
MOST_LAZY = 1  # steps: a drawing recurses as deep as the graph is


class Apart:
    """Draw what single arrays hold, at each line the first few times; what held none then is taken to hold none."""

    def __init__(self) -> None:
        self.array: Any = None
        self._drawn: dict[sites.Site, tuple[int, bool]] = {}

    def holds_none(self, given: Any, lazy_steps: int) -> bool:
        """Tell whether the evaluation of an array that is about to begin holds no collective; False where unknown."""
        if type(given) is not self.array:
            return False
        site = sites.calling()
        times, apart = self._drawn.get(site, (0, True))
        if times < DRAWINGS and apart and lazy_steps <= MOST_LAZY:
            text = graph.drawn([given])
            times, apart = times + 1, not any(word in text for word in DRAWN)
            self._drawn[site] = times, apart
        return apart and times > 0
