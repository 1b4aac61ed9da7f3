"""What holds the calls of one function: what is held of each, and for how long."""

from __future__ import annotations

from typing import Any

from mlxprobe.agent.introspection.trees import weak
from mlxprobe.agent.nan_origin.call_history import MOST, UNMEASURED, Origin
from mlxprobe.agent.nan_origin.held_arguments import Places, aside, gathers, loosened, put_aside

SECOND = (1,)  # where a function of `nn.value_and_grad` is given its model


class Calls:
    """The calls of a gradient function; of parameters that would raise the peak none is held."""

    def __init__(self, origin: Origin, function: Any, bound: tuple[Any, Any] | None) -> None:
        trained, users = bound or (None, None)
        self._trained: Any = trained
        self._origin, self._recorder, self._random = origin, origin.recorder, origin.random_state()
        self._names = weak(function), weak(self._trained), weak(users)
        self._gathered = gathers(self._trained)
        self._room, self._probed_at = UNMEASURED, 0
        self._lent: Any = None  # what MLX has gathered for the call under way, to be rid of some arrays after it

    def begin(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        """A call is about to be made: let others go, and hold it."""
        origin, room = self._origin, self._room
        held = origin.held
        try:
            if room.calls < 0 or origin.inspection.due:
                room = self._room = origin.measured(args[:1], args, kwargs, self._trained)
            call, most = self._recorder.gradients + 1, room.calls
            evaluated = call > origin.losses.readable_from and not self._recorder.lazy_steps
            if held:
                if evaluated and room.probes and held[0][0] >= self._probed_at:
                    self._probed_at = call
                    origin.probe(room.probes, args)
                while most < MOST and len(held) >= most and held:
                    held.popleft()
            if most and origin.left and (evaluated or not room.vectors):
                held.append((call, self._names, self._kept(args), kwargs, self._random[0], room.parameters))
        except Exception as error:
            origin.failed(error)

    def _kept(self, args: Any) -> Any:
        """Return what is held of the arguments."""
        room = self._room
        if room.vectors:
            if self._gathered and not self._origin.inspection.due:  # else others look at the same
                self._lent = args
            else:
                args = aside(args, room.vectors)
        if room.modules == SECOND and args[1] is self._trained:
            args = args[0], self._names[1], *args[2:]
        elif room.modules:
            args = loosened(args, room.modules)
        return args if room.parameters else args[1:]

    def end(self) -> None:
        """The call has been made, and nothing is updated yet."""
        if self._lent is not None:
            put_aside(self._lent, self._room.places)
            self._lent = None


class CompiledCalls:
    """The calls of a compiled function, with what is in the containers that it captures."""

    def __init__(self, origin: Origin, function: Any) -> None:
        self._origin, self._recorder, self._random = origin, origin.recorder, origin.random_state()
        self._names = weak(function), weak(None), weak(None)
        self._room, self._known, self._probed_at = UNMEASURED, -1, 0
        self._places: Places = ()  # right in the containers

    def begin(self, args: tuple[Any, ...], kwargs: dict[str, Any], containers: list[Any]) -> None:
        """A call is about to be made: let others go, and hold it."""
        origin, room = self._origin, self._room
        held = origin.held
        try:
            if self._known != len(containers) or origin.inspection.due:
                room = self._room = origin.measured((containers,), (containers, *args), kwargs, None)
                self._known, self._places = len(containers), tuple(one for one in room.places if len(one[0]) == 2)
            call = self._recorder.gradients + 1
            evaluated = call > origin.losses.readable_from and not self._recorder.lazy_steps
            if evaluated and room.probes and held and held[0][0] >= self._probed_at:
                self._probed_at = call
                origin.probe(room.probes, (containers,))
            while held and len(held) >= room.calls:
                held.popleft()
            if room.calls and origin.left and (evaluated or not room.vectors):
                were = [dict.copy(one) if issubclass(type(one), dict) else [*one] for one in containers]
                if self._places:
                    put_aside((were,), self._places)
                given = loosened(args, tuple(k - 1 for k in room.modules)) if room.modules else args
                state = [*zip(containers, were, strict=True)]
                held.append((call, self._names, given, kwargs, self._random[0], True, state))
        except Exception as error:
            origin.failed(error)
