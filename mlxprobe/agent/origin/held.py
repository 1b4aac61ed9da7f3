"""The last gradient calls of the program, held until it comes for its next: arrays are immutable, references cheap."""

from __future__ import annotations

import weakref
from collections import deque
from collections.abc import Callable
from typing import Any, NamedTuple

from mlxprobe.agent import graph, own
from mlxprobe.agent.inspection import Inspection
from mlxprobe.agent.origin.aside import aside, copy_in, is_value, loose, loosened, restored, shallow, vectors
from mlxprobe.agent.origin.probes import at, at_hand, is_broken, probed
from mlxprobe.agent.steps import number
from mlxprobe.agent.trees import is_array, random_state, weak
from mlxprobe.agent.waiting import EVERY

FREE_BYTES = 1_000_000  # of one call, which nobody notices
HELD_SHARE = 0.02  # of the program's peak, for calls whose parameters have been replaced
SPARE = 3  # times what is held: where the peak, which gradients make, lies so far above the rest, the update does not
MOST = 4  # calls
TRIES = 3  # searches
MOST_KINDS = 64
SECOND = (1,)  # where a function of `nn.value_and_grad` is given its model
Names = tuple[Callable[[], Any], Callable[[], Any], Callable[[], Any]]  # function, model, what the user gave
Paths = tuple[tuple[Any, ...], ...]
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
    probes: Paths = ()
    modules: tuple[int, ...] = ()  # which arguments are some
    vectors: Paths = ()  # of the parameters, that copies are held of


class Origin:
    """Hold gradient calls, and search them once a value that is not finite has been seen.

    The last call is held up to the next: the parameters that it was given are alive up to the update in any case.
    Before calls are let go, a few bytes of what has become of their parameters tell whether these are finite.
    """

    def __init__(self, inspection: Inspection) -> None:
        self._inspection = inspection
        self._held: deque[tuple[Any, ...]] = deque(maxlen=MOST)  # see `taken_out`
        self._rooms: dict[tuple[int, int], Room] = {}  # by compiled function, and how many containers it captures
        self._left = TRIES
        self._random: Any = None
        self._probes: Paths = ()  # of the kind that was measured last
        self._asked = self._sought = 0
        inspection.recorder.losses.not_finite = self.seek
        inspection.recorder.closing.append(self._ends)

    def holding(self, function: Any, bound: tuple[Any, Any] | None) -> Callable[[Any, Any], None]:
        """Return what holds a call of a function that is about to be made; parameters that raise the peak are not."""
        trained, users = bound or (None, None)
        inspection, recorder, calls = self._inspection, self._inspection.recorder, self._held
        names, random = (weak(function), weak(trained), weak(users)), self._key_holder()
        room, probed_at, model_of = Room(-1, parameters=False), 0, names[1]

        def hold(args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
            nonlocal room, probed_at
            try:
                if room.calls < 0 or inspection.due:
                    room = self._measured(args[:1], args, kwargs, trained)
                call, most, probes = recorder.gradients + 1, room.calls, room.probes
                if calls:
                    if probes and calls[0][0] >= probed_at and not recorder.lazy_steps and self._probe(probes, args):
                        probed_at = call
                    while most < MOST and len(calls) >= most and calls:
                        calls.popleft()
                if most and self._left and (kept := self._kept(args, room, model_of, trained)) is not None:
                    calls.append((call, names, kept, kwargs, random[0], room.parameters))
            except Exception as error:
                self._fail(error)

        return hold

    def _kept(self, args: Any, room: Room, model_of: Any, trained: Any) -> tuple[Any, ...] | None:
        """Return what is held of the arguments; None where they cannot be held without a trace."""
        if room.modules == SECOND and args[1] is trained:
            args = args[0], model_of, *args[2:]
        elif room.modules:
            args = loosened(args, room.modules)
        if not room.parameters:
            return args[1:]  # type: ignore[no-any-return]
        if not room.vectors:
            return args  # type: ignore[no-any-return]
        return (aside(args[0], room.vectors), *args[1:]) if self._is_evaluated() else None

    def hold_compiled(self, function: Any, args: Any, kwargs: Any, containers: list[Any]) -> None:
        """Hold a call of a compiled function, with what is in the containers that it captures."""
        try:
            self._hold_compiled(function, args, kwargs, containers)
        except Exception as error:
            self._fail(error)

    def _hold_compiled(self, function: Any, args: Any, kwargs: Any, containers: list[Any]) -> None:
        known = id(function), len(containers)
        room = self._rooms.get(known)
        if room is None or self._inspection.due:
            if len(self._rooms) > MOST_KINDS:
                self._rooms.clear()
            room = self._measured((containers,), (containers, *args), kwargs, None)
            self._rooms[known] = room
        if room.probes and self._held:
            self._probe(room.probes, (containers,))
        while self._held and len(self._held) >= room.calls:
            self._held.popleft()
        if room.calls and self._left and (self._is_evaluated() or not room.vectors):
            state = [(one, dict(one) if isinstance(one, dict) else list(one)) for one in containers]
            copy_in([was for _, was in state], room.vectors)
            call, names = self._inspection.recorder.gradients + 1, (weak(function), weak(None), weak(None))
            self._held.append((call, names, tuple(map(loose, args)), kwargs, self._key_holder()[0], True, state))

    def _fail(self, error: Exception) -> None:
        """Hold nothing any more, and tell why: the program goes on."""
        self._left = 0
        self._held.clear()
        with self._inspection.recorder.carefully():
            raise error

    def _ends(self) -> None:
        """The program has ended: so has the last call, whose parameters nobody may have looked at."""
        if self._held and self._probes:
            self._probe(self._probes, self._held[-1][2])

    def _is_evaluated(self) -> bool:
        """Tell whether the program evaluates its updates before the next call, as far as is known."""
        recorder = self._inspection.recorder
        return not recorder.lazy_steps and recorder.gradients >= recorder.losses.readable_from

    def _probe(self, probes: Paths, parameters: Any) -> bool:
        """Look at some parameters before older calls are let go; not where that would be to wait for them.

        The calls since the last such look are all held, so that a search finds after which they broke.
        """
        if not self._is_evaluated():
            return False
        for path in probes:
            if is_broken(parameters, path):
                self.seek(self._held[-1][0], after=True)
                break
        return True

    def _key_holder(self) -> Any:
        if self._random is None:
            self._random = random_state()  # the same object for ever, slow to find
        return self._random

    def _measured(self, parameters: Any, args: tuple[Any, ...], kwargs: dict[str, Any], model: Any) -> Room:
        if not all(isinstance(one, PLAIN) or is_value(one) for one in (*args, *kwargs.values())):
            return Room(0, parameters=False)  # an object may count who holds it
        peak, active = self._inspection.recorder.phases.peak(), self._inspection.recorder.active()
        every = sum(one.nbytes for one in graph.leaves([args, kwargs]))
        data = every - sum(one.nbytes for one in graph.leaves(parameters))
        modules = tuple(k for k, one in enumerate(args) if hasattr(one, "trainable_parameters"))
        probes = tuple(probed(parameters)) if self._inspection.due and at_hand() else ()
        lazy = self._inspection.recorder.lazy_steps > EVERY
        if lazy or self._inspection.count("probes", [at(parameters, path) for path in probes]) != 0:
            probes = ()  # the program does not evaluate its update at each step
        self._probes = probes
        flat = tuple(vectors(parameters[0])) if at_hand() else ()
        if (every <= FREE_BYTES or every * SPARE <= peak - active) and self._is_there(parameters[0], flat):
            return Room(int(min(MOST, max(1, HELD_SHARE * peak // max(1, every)))), True, probes, modules, flat)
        return Room(int(model is not None and data <= HELD_SHARE * peak), False, (), modules)

    def _is_there(self, parameters: Any, where: Paths) -> bool:
        """Tell whether some parameters have their values when a call begins."""
        arrays = [at(parameters, path) for path in where]
        return not arrays or not (self._inspection.recorder.lazy_steps or graph.pending(arrays))

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
                found = search([*map(taken_out, self._held)], call, self._inspection, after=after)
                if found is not None:
                    told = {key: number(one) if isinstance(one, float) else one for key, one in found.told.items()}
                    self._inspection.recorder.fact("origin", found.site, **told)
            if not self._left:
                self._held.clear()

    def _is_news(self, call: int) -> bool:
        """Tell whether training has gone on since the last search, and no other rank would hear of one."""
        lasts = not self._sought or self._sought < self._inspection.recorder.losses.finite <= call
        return lasts and not self._inspection.nesting.talks

    def asked(self) -> None:
        """An eager run of a compiled function is over: seek what it has asked for."""
        asked, self._asked = self._asked, 0
        if asked:
            self.seek(asked)


def taken_out(one: tuple[Any, ...]) -> Held:
    """Name the parts of a call that was held."""
    call, (function, model, users), args, kwargs, key, *rest = one
    held = Held(call, function, restored(args), kwargs, model, users, key, *rest)
    return held._replace(state=held.state and [(one, shallow(was)) for one, was in held.state])
