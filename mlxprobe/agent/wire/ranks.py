"""Which rank a process is, as its launcher has it in the environment; and the steps in which ranks come together."""

from __future__ import annotations

import os
from collections.abc import Callable

RANKS = ("MLX_RANK", "OMPI_COMM_WORLD_RANK", "PMI_RANK", "PMIX_RANK")
REDUCING = ("all_sum", "sum_scatter", "all_gather")
MOST = 4  # steps
DIGITS = 9
SIZES = ("MLX_WORLD_SIZE", "OMPI_COMM_WORLD_SIZE", "PMI_SIZE")


def declared() -> tuple[int, int]:
    """Return the rank (-1 where there is none) and the number of ranks (0 where nobody says)."""
    return _number(RANKS, -1), _number(SIZES, 0)


class Reductions:
    """The first steps in which as much is reduced as half of what is trained: parameters are compared after them."""

    def __init__(self, wake: Callable[[], None] = lambda: None) -> None:
        self._wake = wake  # told of each
        self.trained = 0  # elements
        self.taken = False  # whether a model has got parameters since, or a file was written
        self._step, self._elements = -1, 0
        self._after: set[int] = set()

    def take(self, step: int, elements: int) -> None:
        """So many elements more are reduced in a step."""
        if step != self._step:
            self._step, self._elements = step, 0
        self._elements += elements
        if 0 < self.trained <= 2 * self._elements:
            self.taken = False
            if len(self._after) < MOST:
                self._after.add(step + 1)
                self._wake()

    def has_met(self, step: int) -> bool:
        """Tell whether a step, the last that has reduced anything, has reduced that much."""
        return step == self._step and 0 < self.trained <= 2 * self._elements

    def is_after(self, step: int) -> bool:
        """Tell whether a step follows right after one of those."""
        return step in self._after

    def awaits(self, step: int) -> bool:
        """Tell whether one of those is still to come after a step."""
        return any(one > step for one in self._after)


def _number(names: tuple[str, ...], otherwise: int) -> int:
    found = (whole(os.environ.get(name, ""), otherwise) for name in names)
    return next((one for one in found if one != otherwise), otherwise)


def whole(text: str, otherwise: int = 0) -> int:
    """Return the whole number that a variable of the environment holds."""
    return int(text) if len(text) <= DIGITS and text.isascii() and text.isdigit() else otherwise
