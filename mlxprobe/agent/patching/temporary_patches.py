"""What is replaced while a step is looked at: given back in any order, or all at once where the agent leaves then."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar


class Loan:
    """One attribute that is replaced."""

    lent: ClassVar[dict[tuple[int, str], list[Loan]]] = {}  # by owner and name, the oldest first

    def __init__(self, owner: Any, name: str, wrap: Callable[[Any], Any]) -> None:
        self._owner, self.name, self._original = owner, name, getattr(owner, name)
        self._new = wrap(self._original)
        self._key = id(owner), name
        Loan.lent.setdefault(self._key, []).append(self)
        setattr(owner, name, self._new)

    def end(self) -> None:
        """Put back what was there; what has been put over it since stays, the program's own too."""
        stack = Loan.lent.get(self._key, [])
        if self not in stack:
            return
        above = stack[stack.index(self) + 1 :]
        stack.remove(self)
        if above:
            above[0]._original = self._original
        elif getattr(self._owner, self.name) is self._new:
            setattr(self._owner, self.name, self._original)
        if not stack:
            del Loan.lent[self._key]


class Loans:
    """What one of those who look has replaced."""

    _closed: ClassVar[bool] = False

    def __init__(self) -> None:
        self._mine: list[Loan] = []

    @property
    def names(self) -> set[str]:
        """What is replaced now."""
        return {one.name for one in self._mine}

    def replace(self, owner: Any, name: str, wrap: Callable[[Any], Any]) -> None:
        """Put what `wrap` makes of an attribute in its place, but not where the agent has left meanwhile."""
        if not Loans._closed:
            self._mine.append(Loan(owner, name, wrap))

    def give_back(self) -> None:
        """Give all of it back."""
        while self._mine:
            self._mine.pop().end()

    @staticmethod
    def open() -> None:
        """Let things be replaced again."""
        Loans._closed = False

    @staticmethod
    def close() -> None:
        """Give back what anybody has replaced, for good: a look that is not over goes on, and replaces nothing more."""
        Loans._closed = True
        for stack in list(Loan.lent.values()):
            while stack:
                stack[-1].end()
