"""What is replaced while a step is looked at: given back in any order, or all at once where the agent leaves then."""

from __future__ import annotations

from collections.abc import Callable
from types import FunctionType
from typing import Any, ClassVar
from weakref import ref


class Loan:
    """One attribute that is replaced; a class of the program's that nothing else holds is not kept by it."""

    lent: ClassVar[dict[tuple[int, str], list[Loan]]] = {}  # by owner and name, the oldest first

    def __init__(self, owner: Any, name: str, wrap: Callable[[Any], Any]) -> None:
        original = getattr(owner, name)
        new = wrap(original)
        self.name = name
        self._owner, self._original, self._new = _weak(owner), _weak(original), _weak(new)
        self._key = id(owner), name
        Loan.lent.setdefault(self._key, []).append(self)
        setattr(owner, name, new)

    def end(self) -> None:
        """Put back what was there; what has been put over it since stays, the program's own too."""
        stack = Loan.lent.get(self._key, [])
        if self not in stack:
            return
        above = stack[stack.index(self) + 1 :]
        stack.remove(self)
        owner, new, original = self._owner(), self._new(), self._original()
        if above:
            above[0]._original = self._original
        elif None not in (owner, new, original) and getattr(owner, self.name) is new:
            setattr(owner, self.name, original)
        if not stack:
            del Loan.lent[self._key]


def _weak(one: Any) -> Callable[[], Any]:
    """Return what leads to a class or a Python function as long as it is there; to anything else for ever."""
    return ref(one) if isinstance(one, (type, FunctionType)) else lambda: one


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
