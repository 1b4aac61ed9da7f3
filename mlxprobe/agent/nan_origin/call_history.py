"""The last gradient calls of the program, held until it comes for its next: arrays are immutable, references cheap."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Any, NamedTuple

from mlxprobe.agent.graph import lazy_graph
from mlxprobe.agent.introspection import isolated_import
from mlxprobe.agent.introspection.trees import is_array, random_state
from mlxprobe.agent.nan_origin.finite_checks import at_hand, is_broken, probed
from mlxprobe.agent.nan_origin.held_arguments import Paths, Places, is_value, restored, shallow, vectors
from mlxprobe.agent.patching import static
from mlxprobe.agent.sampling.dispatcher import Inspection
from mlxprobe.agent.sampling.waiting import EVERY
from mlxprobe.agent.wire import bound
from mlxprobe.protocol.facts.losses import NotFiniteOrigin

FREE_BYTES = 1_000_000  # of one call, which nobody notices
HELD_SHARE = 0.02  # of the program's peak, for calls whose parameters have been replaced
SPARE = 3  # times what is held: where the peak, which gradients make, lies so far above the rest, the update does not
MOST = 4  # calls
TRIES = 3  # searches
ALWAYS, APART_S = 2000, 1e-3  # calls whose parameters are all looked at; later, of shorter steps, some
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
        held = (was.items() if static.is_a(was, dict) else enumerate(was) for _, was in self.state)
        return self.args, [{str(key): one} for was in held for key, one in was if is_array(one)]

    def given(self) -> tuple[Any, ...]:
        """Return the arguments, with the model's own parameters where those that were given are not held."""
        args = tuple(one() if static.is_a(one, bound.ref) else one for one in self.args)
        return args if self.has_parameters else (self.model().trainable_parameters(), *args)


class Room(NamedTuple):
    """How many calls may be held, whether with their parameters, and which of these show whether they are finite."""

    calls: int
    parameters: bool
    probes: Paths = ()
    modules: tuple[int, ...] = ()  # which arguments are some
    vectors: Paths = ()  # among the arguments, that copies are held of
    places: Places = ()  # the same


UNMEASURED = Room(-1, parameters=False)


class Origin:
    """Hold gradient calls, and search them once a value that is not finite has been seen.

    The last call is held up to the next: the parameters that it was given are alive up to the update in any case.
    Before calls are let go, a few bytes of what has become of their parameters tell whether these are finite.
    """

    def __init__(self, inspection: Inspection) -> None:
        self.inspection = inspection  # a step that is `due` is looked at: what is held of its calls is measured anew
        self.recorder, self.losses = inspection.recorder, inspection.recorder.losses
        self.held: deque[tuple[Any, ...]] = deque(maxlen=MOST)  # see `taken_out`
        self.left = TRIES
        self._random: Any = None
        self._probes: Paths = ()  # of the kind that was measured last
        self._asked = self._sought = 0
        self._probe_at_s = 0.0
        self.losses.not_finite = self.seek
        self.recorder.closing.append(self._ends)

    def failed(self, error: Exception) -> None:
        """Hold nothing any more, and tell why: the program goes on."""
        self.recorder.failed(error)
        self.left = 0
        self.held.clear()

    def _ends(self) -> None:
        """The program has ended: so has the last call, whose parameters nobody may have looked at."""
        recorder = self.recorder
        if self.held and self._probes and recorder.gradients >= self.losses.readable_from and not recorder.lazy_steps:
            self.probe(self._probes, self.held[-1][2])

    def probe(self, probes: Paths, parameters: Any) -> None:
        """Look at some parameters before older calls are let go, of a program that has evaluated them, as is known.

        The calls since the last such look are all held, so that a search finds after which they broke.
        """
        recorder = self.recorder
        if recorder.gradients <= ALWAYS or recorder.began_s >= self._probe_at_s:
            self._probe_at_s = recorder.began_s + APART_S
            if is_broken(parameters, probes):
                self.seek(self.held[-1][0], after=True)

    def random_state(self) -> Any:
        """Return what holds the key of random numbers: the same object for ever, slow to find."""
        if self._random is None:
            self._random = random_state()
        return self._random

    def measured(self, parameters: Any, args: tuple[Any, ...], kwargs: dict[str, Any], model: Any) -> Room:
        """Find out what may be held of calls that are given such arguments."""
        if not all(static.is_a(one, PLAIN) or is_value(one) for one in (*args, *kwargs.values())):
            return Room(0, parameters=False)  # an object may count who holds it
        recorder = self.recorder
        peak, active = recorder.phases.peak(), recorder.active()
        every = sum(one.nbytes for one in lazy_graph.leaves([args, kwargs]))
        data = every - sum(one.nbytes for one in lazy_graph.leaves(parameters))
        modules = tuple(k for k, one in enumerate(args) if static.is_module(one))
        probes = tuple(probed(parameters)) if self.inspection.due and at_hand() else ()
        lazy = recorder.lazy_steps > EVERY
        if lazy or self.inspection.count("probes", [static.at(parameters, path) for path in probes]) != 0:
            probes = ()  # the program does not evaluate its update at each step
        self._probes = probes
        flat = vectors(parameters) if at_hand() else ()
        if (every <= FREE_BYTES or every * SPARE <= peak - active) and self._is_there(parameters, flat):
            blind = not at_hand() and every * MOST <= FREE_BYTES  # what breaks shows calls later, and costs nothing
            calls = MOST if blind else int(min(MOST, max(1, HELD_SHARE * peak // max(1, every))))
            return Room(calls, True, probes, modules, flat, tuple((path[:-1], path[-1]) for path in flat))
        return Room(int(model is not None and data <= HELD_SHARE * peak), False, (), modules)

    def _is_there(self, parameters: Any, where: Paths) -> bool:
        """Tell whether some parameters have their values when a call begins."""
        arrays = [static.at(parameters, path) for path in where]
        return not arrays or not (self.recorder.lazy_steps or lazy_graph.pending(arrays))

    def seek(self, call: int, *, after: bool = False) -> None:
        """A value of gradient call `call`, or of the parameters `after` it, is not finite: tell where that arose."""
        nesting = self.inspection.nesting
        if nesting.shadow:
            self._asked = call
        elif self.left and not nesting.replay and self.inspection.home.here() and self._is_news(call):
            self.left -= 1
            self._sought = call
            with isolated_import.importable():
                from mlxprobe.agent.nan_origin.search import search
            with self.recorder.carefully():
                found = search([*map(taken_out, self.held)], call, self.inspection, after=after)
                if found is not None:
                    self.recorder.fact(NotFiniteOrigin(**found.told), found.site)
            if not self.left:
                self.held.clear()

    def _is_news(self, call: int) -> bool:
        """Tell whether training has gone on since the last search, and no other rank would hear of one."""
        lasts = not self._sought or self._sought < self.recorder.losses.finite <= call
        return lasts and not self.inspection.nesting.talks

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
