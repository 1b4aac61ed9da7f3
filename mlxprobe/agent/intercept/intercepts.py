"""The one wrapper of each function: it tells observers before and after the call, and nothing of theirs is raised."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple, Protocol

from mlxprobe.agent.intercept import table
from mlxprobe.agent.intercept.events import WRAPPERS, Binding, CallEvent
from mlxprobe.agent.intercept.states import INSIDE, NEVER, SAMPLED, TRACE
from mlxprobe.agent.patching import static
from mlxprobe.agent.patching.interrupts import comes_from_outside, let_through
from mlxprobe.agent.patching.signatures import like

Tell = Callable[[CallEvent], None]
Failed = Callable[[Any, Exception], bool]
Around = Callable[[Any], Any]
BEFORE, AFTER, RAISED = range(3)


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


class Where(Protocol):
    """Where the program is."""

    due: bool  # whether the step is sampled
    tracing: bool  # whether a compiled function is being traced
    inside: bool  # whether one is run by us

    def state(self) -> int:
        """Return all that is known of it, as flags of `states`."""


class Row:
    """One observer of one function."""

    __slots__ = ("needs", "never", "owner", "tell", "when")

    def __init__(self, one: Observe, tell: Tell, owner: Any) -> None:
        self.needs, self.never, self.tell, self.owner = one.needs, one.never, tell, owner
        self.when = RAISED if one.raised else AFTER if one.after else BEFORE


class Intercepts:
    """All functions that are observed; observers of one function are told in the order in which they were added.

    Args:
        where: tells where the program is.
        failed: is told of an observer that has raised, and of the exception; returns whether it is told nothing more.
    """

    def __init__(self, where: Where, failed: Failed) -> None:
        self._where = where
        self._failed = failed
        self._rows: list[tuple[str, Row]] = []
        self._around: list[tuple[str, Around]] = []
        self._within: dict[str, Around] = {}

    def add(self, owner: Any, observes: Iterable[Observe], holder: Any = None) -> None:
        """Take in what an object observes; it must be there before MLX is imported.

        Args:
            owner: who observes, and is told nothing more once one of its methods has raised.
            observes: what.
            holder: the part of it that has the methods; by default itself.
        """
        for one in observes:
            self._rows.append((known(one.function), Row(one, getattr(holder or owner, one.method), owner)))

    def around(self, function: str, make: Around) -> None:
        """Put what `make` returns for a function in its place: where the call itself becomes another one.

        Of a property `make` is given the property, and returns one.
        """
        self._around.append((known(function), make))

    def within(self, function: str, make: Around) -> None:
        """Make each call of a function that is observed by what `make` returns for it, which observers do not see."""
        self._within[known(function)] = make

    def drop(self, owner: Any) -> None:
        """Tell an observer nothing more."""
        for _, row in self._rows:
            if row.owner is owner:
                row.needs = NEVER

    def imported(self, name: str, module: Any) -> None:
        """Wrap what is observed of a module that has been imported."""
        names: dict[tuple[int, str], tuple[Any, list[str]]] = {}  # by holder and attribute: names in the table
        for function in dict.fromkeys(function for function, _ in (*self._rows, *self._around)):
            for holder, attribute in table.places(function, name, module):
                names.setdefault((id(holder), attribute), (holder, []))[1].append(function)
        for (_, attribute), (holder, its) in names.items():
            held = static.static(holder, attribute) if isinstance(holder, type) else getattr(holder, attribute)
            made = held.__func__ if isinstance(held, staticmethod) else held
            if rows := [row for function, row in self._rows if function in its]:
                run = next((self._within[one](made) for one in its if one in self._within), made)
                made = self._wrapped(made, rows, [one for function in its for one in table.FUNCTIONS[function]], run)
            for function, around in self._around:
                made = around(made) if function in its else made
            setattr(holder, attribute, staticmethod(made) if isinstance(held, staticmethod) else made)

    def _wrapped(
        self, original: Callable[..., Any], rows: list[Row], names: list[str], run: Callable[..., Any]
    ) -> Callable[..., Any]:
        before, after, raised = ([row for row in rows if row.when == when] for when in (BEFORE, AFTER, RAISED))
        where, tell, name = self._where, self._tell, original.__name__
        binding = Binding(original, names)
        seldom = all(row.needs & (SAMPLED | TRACE | INSIDE) for row in rows)

        def call(*args: Any, **kwargs: Any) -> Any:
            if seldom and not (where.due or where.tracing or where.inside):
                return original(*args, **kwargs)
            try:
                now = where.state()
                first, later = before and _told(before, now), after and _told(after, now)
                last = raised and _told(raised, now)
                event = CallEvent(name, binding, args, kwargs, now) if first or later or last else None
            except Exception as error:
                let_through(error)
                event = None
            if event is None:
                return run(*args, **kwargs)
            try:
                tell(first, event)
                event.result = run(*event.args, **event.kwargs)
            except BaseException:
                tell(last, event)
                raise
            tell(later, event)
            return event.result

        WRAPPERS.add(call.__code__)
        return like(original)(call)

    def _tell(self, rows: Sequence[Row], event: CallEvent) -> None:
        """Tell all observers, also where a signal handler of the program's raises meanwhile: that goes on after them.

        Raises:
            BaseException: what the handler has raised.
        """
        interrupt: BaseException | None = None
        for row in rows:
            if row.needs == NEVER:  # it has failed since the call began
                continue
            try:
                row.tell(event)
            except BaseException as error:
                if not isinstance(error, Exception) or comes_from_outside(error):
                    interrupt = error
                elif self._failed(row.owner, error):
                    self.drop(row.owner)
        try:
            if interrupt is not None:
                raise interrupt
        finally:
            interrupt = None  # its traceback holds this call, and so itself


def known(function: str) -> str:
    """Return a function's name.

    Raises:
        KeyError: it is not in the table.
    """
    if function not in table.FUNCTIONS:
        raise KeyError(f"{function} is not in the table of functions")
    return function


def _told(rows: list[Row], now: int) -> list[Row]:
    return [row for row in rows if now & row.needs == row.needs and not now & row.never]
