"""The last gradient calls of the program, held until it comes for its next: arrays are immutable, references cheap."""

from __future__ import annotations

import weakref
from collections import deque
from collections.abc import Callable
from typing import Any, NamedTuple

from mlxprobe.agent import graph, own
from mlxprobe.agent.inspection import Inspection
from mlxprobe.agent.origin.probes import at, at_hand, is_broken, probed
from mlxprobe.agent.steps import number
from mlxprobe.agent.trees import ROOM, is_array, random_state, weak

FREE_BYTES = 1_000_000  # of one call, which nobody notices
HELD_SHARE = 0.02  # of the program's peak, for calls whose parameters have been replaced
SPARE = 3  # times what is held: where the peak, which gradients make, lies so far above the rest, the update does not
MOST = 4  # calls
TRIES = 3  # searches
MOST_KINDS = 64
Names = tuple[Callable[[], Any], Callable[[], Any], Callable[[], Any]]  # function, model, what the user gave
Contents = list[tuple[Any, Any]]  # dicts and lists, with what each held
PLAIN = (list, tuple, dict, int, float, str, bool, type(None))


class Held(NamedTuple):
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


class Room(NamedTuple):
    """How many calls may be held, whether with their parameters, and which of these show whether they are finite."""

    calls: int
    parameters: bool
    probes: tuple[tuple[Any, ...], ...] = ()  # paths
    modules: tuple[int, ...] = ()  # which arguments are some


class Origin:
    """Hold gradient calls, and search them once a value that is not finite has been seen.

    The last call is held up to the next: the parameters that it was given are alive up to the update in any case.
    Before they are let go, a few bytes of what has become of them tell whether they are finite.
    """

    def __init__(self, inspection: Inspection) -> None:
        self._inspection = inspection
        self._held: deque[Held] = deque(maxlen=MOST)
        self._rooms: dict[int, Room] = {}  # by model, or by compiled function
        self._left = TRIES
        self._random: Any = None
        self._asked = self._sought = 0
        inspection.recorder.losses.not_finite = self.seek

    def holding(self, function: Any, bound: tuple[Any, Any] | None) -> Callable[[Any, Any], None]:
        """Return what holds a call of a function that is about to be made; parameters that raise the peak are not."""
        trained, users = bound or (None, None)
        names, key = (weak(function), weak(trained), weak(users)), id(trained)
        rooms, inspection = self._rooms, self._inspection

        def hold(args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
            try:
                room = rooms.get(key)
                if room is None or inspection.due:
                    room = self._room(key, args[:1], args, kwargs, trained)
                if self._makes_room(room, args):
                    held = list(args)
                    for k in room.modules:
                        held[k] = loose(held[k])
                    some = held if room.parameters else held[1:]
                    self._held.append(self._made(names, tuple(some), kwargs, room.parameters))
            except Exception as error:
                self._fail(error)

        return hold

    def hold_compiled(self, function: Any, args: Any, kwargs: Any, containers: list[Any]) -> None:
        """Hold a call of a compiled function, with what is in the containers that it captures."""
        try:
            self._hold_compiled(function, args, kwargs, containers)
        except Exception as error:
            self._fail(error)

    def _hold_compiled(self, function: Any, args: Any, kwargs: Any, containers: list[Any]) -> None:
        room = self._rooms.get(id(function))
        if room is None or self._inspection.due:
            room = self._room(id(function), (containers,), (containers, *args), kwargs, None)
        if self._makes_room(room, (containers,)):
            held = tuple(map(loose, args))
            state = [(one, dict(one) if isinstance(one, dict) else list(one)) for one in containers]
            names = weak(function), weak(None), weak(None)
            self._held.append(self._made(names, held, kwargs, has_parameters=True, state=state))

    def _fail(self, error: Exception) -> None:
        """Hold nothing any more, and tell why: the program goes on."""
        self._left = 0
        self._held.clear()
        with self._inspection.recorder.carefully():
            raise error

    def _makes_room(self, room: Room, parameters: Any) -> bool:
        """Let older calls go, and tell whether there is room for another."""
        if not self._left:
            self._held.clear()
            return False
        recorder, held = self._inspection.recorder, self._held
        if held and not recorder.lazy_steps and recorder.losses.may_be_read:
            for path in room.probes:
                if is_broken(parameters, path):
                    self.seek(held[-1].call, after=True)
                    break
        while len(held) >= room.calls and held:
            held.popleft()
        return room.calls > 0

    def _made(self, names: Names, args: Any, kwargs: Any, has_parameters: bool, state: Contents | None = None) -> Held:
        if self._random is None:
            self._random = random_state()  # the same object for ever, slow to find
        function, model, users = names
        call = self._inspection.recorder.gradients + 1
        return Held(call, function, args, kwargs, model, users, self._random[0], has_parameters, state)

    def _room(self, key: int, parameters: Any, args: tuple[Any, ...], kwargs: dict[str, Any], model: Any) -> Room:
        """Say what may be held of calls of one kind, anew at each step that is looked at."""
        if len(self._rooms) > MOST_KINDS:
            self._rooms.clear()
        room = self._rooms[key] = self._measured(parameters, args, kwargs, model)
        return room

    def _measured(self, parameters: Any, args: tuple[Any, ...], kwargs: dict[str, Any], model: Any) -> Room:
        if not all(isinstance(one, PLAIN) or is_value(one) for one in (*args, *kwargs.values())):
            return Room(0, parameters=False)  # an object may count who holds it
        peak, active = self._inspection.recorder.phases.peak(), self._inspection.recorder.active()
        every = sum(one.nbytes for one in graph.leaves([args, kwargs]))
        data = every - sum(one.nbytes for one in graph.leaves(parameters))
        modules = tuple(k for k, one in enumerate(args) if hasattr(one, "trainable_parameters"))
        probes = tuple(probed(parameters)) if self._inspection.due and at_hand() else ()
        if self._inspection.count("probes", [at(parameters, path) for path in probes]) != 0:
            probes = ()  # the program does not evaluate its update at each step
        if every <= FREE_BYTES or every * SPARE <= peak - active:
            return Room(int(min(MOST, max(1, HELD_SHARE * peak // max(1, every)))), True, probes, modules)
        return Room(int(model is not None and data <= HELD_SHARE * peak), False, (), modules)

    def seek(self, call: int, *, after: bool = False) -> None:
        """A value of gradient call `call`, or of the parameters `after` it, is not finite: tell where that arose."""
        nesting = self._inspection.nesting
        if nesting.shadow:
            self._asked = call
        elif self._left and not nesting.replay and self._inspection.home.here() and self._is_news(call):
            self._left -= 1
            self._sought = call
            with own.importable():
                from mlxprobe.agent.origin.search import search
            with self._inspection.recorder.carefully():
                found = search(list(self._held), call, self._inspection, after=after)
                if found is not None:
                    told = {key: number(one) if isinstance(one, float) else one for key, one in found.told.items()}
                    self._inspection.recorder.fact("origin", found.site, **told)

    def _is_news(self, call: int) -> bool:
        """Tell whether training has gone on since the last search, and no other rank would hear of one."""
        lasts = not self._sought or self._sought < self._inspection.recorder.losses.finite <= call
        return lasts and not self._inspection.nesting.talks

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
