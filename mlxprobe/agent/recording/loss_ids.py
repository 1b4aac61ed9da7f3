"""Whose path a loss belongs to: each model's, and each function's of no model, is one of its own."""

from __future__ import annotations

from typing import Any

from mlxprobe.agent.wire import bound

COMMON = 0
FRESH, MOST = 4, 4  # steps that somebody new is looked at; of how many


class Streams:
    """Number the owners of losses; who has gone leaves its number, also where another takes its place in memory."""

    def __init__(self) -> None:
        self._known: dict[int, tuple[Any, int]] = {}
        self._next = COMMON
        self.last = COMMON  # of those that are no model's

    def meet(self, owner: Any, *, model: bool) -> tuple[int, bool]:
        """Return an owner's number, and whether it is new; None is the owner of all that nobody else owns."""
        known = self._known.get(id(owner))
        found = None if known is None or (owner is not None and known[0]() is not owner) else known[1]
        number = self._next if found is None else found
        if found is None:
            self._next += 1
            self._known[id(owner)] = (lambda: None) if owner is None else bound.ref(owner), number
        self.last = self.last if model else number
        return number, found is None

    def of(self, model: Any) -> int:
        """Return the number of a model; for None of the last that was none's."""
        known = self._known.get(id(model))
        return self.last if model is None else COMMON if known is None or known[0]() is not model else known[1]


class Newcomers:
    """Models, functions and optimizers that begin after others have: their first steps are looked at, as a run's."""

    def __init__(self) -> None:
        self._met = self.left = 0

    def meet(self, before: int) -> None:
        """Somebody begins, with so much `before`."""
        if before and self._met < MOST:
            self._met, self.left = self._met + 1, FRESH

    def begin(self) -> bool:
        """Tell whether the step that begins is among the first of somebody."""
        self.left, left = max(0, self.left - 1), self.left
        return left > 0
