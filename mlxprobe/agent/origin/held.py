"""The last gradient calls of the program, held until it comes for its next: arrays are immutable, references cheap."""

from __future__ import annotations

import threading
import weakref
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from mlxprobe.agent import graph
from mlxprobe.agent.compiled import weak
from mlxprobe.agent.inspection import Inspection

HELD_BYTES = 1_000_000  # that would else be free, or
HELD_SHARE = 0.02  # of the program's peak
MOST = 4  # calls
TRIES = 3  # searches
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
        self._thread = 0
        inspection.recorder.not_finite = self.seek

    def hold(self, function: Any, args: Any, kwargs: Any, model: tuple[Any, Any] | None) -> None:
        """Hold a call that is about to be made; parameters that would raise the peak are not."""
        trained, users = model or (None, None)
        room = self._rooms.get(id(trained))
        if room is None or self._inspection.due:
            room = self._rooms[id(trained)] = self._measured(args, kwargs, trained)
        calls, with_parameters = room
        while len(self._held) > max(0, calls - 1):
            self._held.popleft()
        if not calls or not self._left:
            return
        import mlx.core as mx

        self._thread = threading.get_ident()
        self._held.append(
            Held(
                self._inspection.recorder.gradients + 1,
                weak(function),
                tuple(map(loose, args if with_parameters else args[1:])),
                kwargs,
                weak(trained),
                weak(users),
                mx.random.state[0],
                with_parameters,
            )
        )

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
        recorder = self._inspection.recorder
        if not self._left or self._inspection.nesting.replay or threading.get_ident() != self._thread:
            return
        self._left -= 1
        held = list(self._held)
        from mlxprobe.agent.origin.search import search

        with self._inspection.recorder.carefully():
            found = search(held, call, self._inspection)
            if found is not None:
                recorder.fact("origin", found.site, **found.told)


def loose(one: Any) -> Any:
    """Refer to a module weakly; return anything else as it is."""
    return weakref.ref(one) if hasattr(one, "trainable_parameters") else one


def is_value(one: Any) -> bool:
    """Tell whether an argument is an array or a module, which hold nothing but arrays."""
    return hasattr(one, "nbytes") or hasattr(one, "trainable_parameters") or callable(one)
