"""The one wrapper of each function: it tells observers before and after the call, and nothing of theirs is raised."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple

from mlxprobe.agent.intercept import table
from mlxprobe.agent.intercept.events import WRAPPERS, Binding, CallEvent
from mlxprobe.agent.intercept.states import NEVER
from mlxprobe.agent.wrapping.arguments import like

Tell = Callable[[CallEvent], None]
Failed = Callable[[Any, Exception], bool]
Around = Callable[[Callable[..., Any]], Callable[..., Any]]


class Observe(NamedTuple):
    """What a class observes: calls of a function (see `table`), by one of its methods, which is given a CallEvent.

    `needs` and `never` are flags of `states`: all of the first must hold, and none of the others.
    """

    function: str
    method: str
    after: bool = False  # else before the call
    raised: bool = False  # or where it raises
    needs: int = 0
    never: int = 0


class Row:
    """One observer of one function."""

    __slots__ = ("needs", "never", "owner", "tell")

    def __init__(self, needs: int, never: int, tell: Tell, owner: Any) -> None:
        self.needs, self.never, self.tell, self.owner = needs, never, tell, owner


class Function:
    """One function: its observers, in the order in which they were added."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.before: list[Row] = []
        self.after: list[Row] = []
        self.raised: list[Row] = []
        self.around: list[Around] = []


class Intercepts:
    """All functions that are observed.

    Args:
        state: tells where the program is, as flags of `states`.
        failed: is told of an observer that has raised, and of the exception; returns whether it is told nothing more.
    """

    def __init__(self, state: Callable[[], int], failed: Failed) -> None:
        self._state = state
        self._failed = failed
        self._functions: dict[str, Function] = {}

    def add(self, owner: Any, observes: Iterable[Observe], holder: Any = None) -> None:
        """Take in what an object observes; it must be there before MLX is imported.

        Args:
            owner: who observes, and is told nothing more once one of its methods has raised.
            observes: what.
            holder: the part of it that has the methods; by default itself.
        """
        for one in observes:
            row = Row(one.needs, one.never, getattr(holder or owner, one.method), owner)
            function = self._function(one.function)
            rows = function.raised if one.raised else function.after if one.after else function.before
            rows.append(row)

    def around(self, function: str, make: Around) -> None:
        """Put what `make` returns for a function in its place: of functions whose call itself is another one then."""
        self._function(function).around.append(make)

    def _function(self, name: str) -> Function:
        if name not in table.FUNCTIONS:
            raise KeyError(f"{name} is not in the table of functions")
        return self._functions.setdefault(name, Function(name))

    def drop(self, owner: Any) -> None:
        """Tell an observer nothing more."""
        for function in self._functions.values():
            for row in (*function.before, *function.after, *function.raised):
                if row.owner is owner:
                    row.needs = NEVER

    def imported(self, name: str, module: Any) -> None:
        """Wrap what is observed of a module that has been imported."""
        for function in self._functions.values():
            for holder, attribute in table.places(function.name, name, module):
                self._install(function, holder, attribute)

    def _install(self, function: Function, holder: Any, attribute: str) -> None:
        held = vars(holder)[attribute] if isinstance(holder, type) else getattr(holder, attribute)
        original = held.__func__ if isinstance(held, staticmethod) else getattr(holder, attribute)
        made = original
        if function.before or function.after or function.raised:
            made = self._wrapped(function, original)
        for around in function.around:
            made = around(made)
        setattr(holder, attribute, staticmethod(made) if isinstance(held, staticmethod) else made)

    def _wrapped(self, function: Function, original: Callable[..., Any]) -> Callable[..., Any]:
        before, after, raised = function.before, function.after, function.raised
        state, tell, name = self._state, self._tell, original.__name__
        binding = Binding(original, table.FUNCTIONS[function.name])

        @like(original)
        def call(*args: Any, **kwargs: Any) -> Any:
            now = state()
            first, later = _told(before, now), _told(after, now)
            if not (first or later or raised):
                return original(*args, **kwargs)
            event = CallEvent(name, binding, args, kwargs, now)
            tell(first, event)
            try:
                event.result = original(*event.args, **event.kwargs)
            except Exception:
                tell(_told(raised, now), event)
                raise
            tell(later, event)
            return event.result

        WRAPPERS.add(call.__code__)
        return call

    def _tell(self, rows: Sequence[Row], event: CallEvent) -> None:
        for row in rows:
            try:
                row.tell(event)
            except Exception as error:
                if self._failed(row.owner, error):
                    self.drop(row.owner)


def _told(rows: list[Row], now: int) -> Sequence[Row]:
    return [row for row in rows if now & row.needs == row.needs and not now & row.never] if rows else ()
