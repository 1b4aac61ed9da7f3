"""The last gradient calls of the program, held until it comes for its next: arrays are immutable, references cheap."""

from __future__ import annotations

import threading
import weakref
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from mlxprobe.agent import graph
from mlxprobe.agent.inspection import Inspection
from mlxprobe.agent.steps import number
from mlxprobe.agent.trees import ROOM, is_array, weak

HELD_BYTES = 1_000_000  # that would else be free, or
HELD_SHARE = 0.02  # of the program's peak
MOST = 4  # calls
TRIES = 3  # searches
Contents = list[tuple[Any, Any]]  # dicts and lists, with what each held
PLAIN = (list, tuple, dict, int, float, str, bool, type(None))


@dataclass
class Held:
    """One gradient call: what it differentiates, and what it was given."""

    call: int
    function: Callable[[], Any]  # modules and functions are the program's to keep
    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    model: Callable[[], Any]  # of `nn.value_and_grad`, and the function that it was made of
    users: Callable[[], Any]
    key: Any  # of the random numbers
    has_parameters: bool = True
    state: Contents | None = None  # of a compiled function: what it captures, which it reads by itself

    def trained(self) -> Any:
        """Return what is trained, or all that is captured, as it was before the call."""
        if self.state is None:
            return self.given()[:1]
        held = (was.items() if isinstance(was, dict) else enumerate(was) for _, was in self.state)
        return self.args, [{str(key): one} for was in held for key, one in was if is_array(one)]

    def given(self) -> tuple[Any, ...]:
        """Return the arguments, with the model's own parameters where those that were given are not held."""
        args = tuple(one() if isinstance(one, weakref.ref) else one for one in self.args)
        return args if self.has_parameters else (self.model().trainable_parameters(), *args)


class Origin:
    """Hold gradient calls, and search them once a value that is not finite has been seen."""

    def __init__(self, inspection: Inspection) -> None:
        self._inspection = inspection
        self._held: deque[Held] = deque(maxlen=MOST)
        self._rooms: dict[int, tuple[int, bool]] = {}  # by model: how many calls, and whether with their parameters
        self._left = TRIES
        self._thread = self._asked = self._sought = 0
        inspection.recorder.not_finite = self.seek

    def hold(self, function: Any, args: Any, kwargs: Any, model: tuple[Any, Any] | None) -> None:
        """Hold a call that is about to be made; parameters that would raise the peak are not."""
        trained, users = model or (None, None)
        room = self._rooms.get(id(trained))
        if room is None or self._inspection.due:
            room = self._rooms[id(trained)] = self._measured(args, kwargs, trained)
        if self._makes_room(room[0]):
            held = tuple(map(loose, args if room[1] else args[1:]))
            self._held.append(self._made(function, held, kwargs, weak(trained), weak(users), has_parameters=room[1]))

    def hold_compiled(self, function: Any, args: Any, kwargs: Any, containers: list[Any]) -> None:
        """Hold a call of a compiled function, with what is in the containers that it captures."""
        room = self._rooms.get(id(function))
        if room is None or self._inspection.due:
            room = self._rooms[id(function)] = self._measured((containers, *args), kwargs, None)
        if self._makes_room(room[0]):
            held = tuple(map(loose, args))
            state = [(one, dict(one) if isinstance(one, dict) else list(one)) for one in containers]
            self._held.append(self._made(function, held, kwargs, weak(None), weak(None), state=state))

    def _makes_room(self, calls: int) -> bool:
        while len(self._held) > max(0, calls - 1):
            self._held.popleft()
        self._thread = threading.get_ident()
        return bool(calls and self._left)

    def _made(self, function: Any, args: Any, kwargs: Any, model: Any, users: Any, **more: Any) -> Held:
        import mlx.core as mx

        call, key = self._inspection.recorder.gradients + 1, mx.random.state[0]
        return Held(call, weak(function), args, kwargs, model, users, key, **more)

    def _measured(self, args: tuple[Any, ...], kwargs: dict[str, Any], model: Any) -> tuple[int, bool]:
        """Say how many calls may be held, and whether with their parameters."""
        given = [*args, *kwargs.values()]
        if not all(isinstance(one, PLAIN) or is_value(one) for one in given):
            return 0, False  # an object may count who holds it
        room = max(HELD_BYTES, HELD_SHARE * self._inspection.recorder.phases.peak())
        parameters = sum(one.nbytes for one in graph.leaves(args[:1]))
        data = sum(one.nbytes for one in graph.leaves([args[1:], kwargs]))
        if parameters + data <= room:
            return int(min(MOST, room // max(1, parameters + data))), True
        return int(model is not None and data <= room), False

    def seek(self, call: int) -> None:
        """A value of gradient call number `call` is not finite: tell where that comes from."""
        nesting = self._inspection.nesting
        if nesting.shadow:
            self._asked = call
        elif self._left and not nesting.replay and threading.get_ident() == self._thread and self._is_news(call):
            self._left -= 1
            self._sought = call
            from mlxprobe.agent.origin.search import search

            with self._inspection.recorder.carefully():
                found = search(list(self._held), call, self._inspection)
                if found is not None:
                    told = {key: number(one) if isinstance(one, float) else one for key, one in found.told.items()}
                    self._inspection.recorder.fact("origin", found.site, **told)

    def _is_news(self, call: int) -> bool:
        """Tell whether training has gone on since the last search."""
        return not self._sought or self._sought < self._inspection.recorder.finite <= call

    def asked(self) -> None:
        """An eager run of a compiled function is over: seek what it has asked for."""
        asked, self._asked = self._asked, 0
        if asked:
            self.seek(asked)


def containers(trees: Any) -> list[Any]:
    """List the dicts and lists in some trees, themselves; an optimizer's state is left out."""
    found: list[Any] = []
    waiting = [trees]
    while waiting and len(found) < ROOM:
        one = waiting.pop()
        if isinstance(one, (dict, list)) and "learning_rate" not in one:
            found.append(one)
            waiting += one.values() if isinstance(one, dict) else one
        elif isinstance(one, tuple):
            waiting += one
    return found


def loose(one: Any) -> Any:
    """Refer to a module weakly; return anything else as it is."""
    return weakref.ref(one) if hasattr(one, "trainable_parameters") else one


def is_value(one: Any) -> bool:
    """Tell whether an argument is an array or a module, which hold nothing but arrays."""
    return hasattr(one, "nbytes") or hasattr(one, "trainable_parameters") or callable(one)
