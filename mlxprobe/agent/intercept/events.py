"""What an observer is told of one call of a function of MLX's."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from types import FrameType
from typing import Any

from mlxprobe.agent.patching.faithful import CALL
from mlxprobe.agent.patching.signatures import parameters
from mlxprobe.agent.wire import bound

Args = tuple[Any, ...]
Kwargs = dict[str, Any]
WRAPPERS: set[Any] = set()  # the code of all wrappers


class Binding:
    """Where the parameters of a function stand among its arguments.

    Args:
        original: the function; where it has a signature, that counts.
        names: its first parameters.
    """

    def __init__(self, original: Callable[..., Any], names: Sequence[str]) -> None:
        known = parameters(original)
        self._places = {one: k for k, one in enumerate(names)} | {one: k for k, one in enumerate(known)}

    def has(self, name: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> bool:
        """Tell whether an argument is given."""
        return name in kwargs or self._places.get(name, len(args)) < len(args)

    def one(self, name: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """Return an argument; None for what was left out."""
        if name in kwargs:
            return kwargs[name]
        place = self._places.get(name, len(args))
        return args[place] if place < len(args) else None

    def put(self, name: str, value: Any, args: Args, kwargs: Kwargs) -> tuple[Args, Kwargs]:
        """Return the arguments with another one under a name."""
        place = self._places.get(name, len(args))
        if name in kwargs or place >= len(args):
            return args, {**kwargs, name: value}
        return (*args[:place], value, *args[place + 1 :]), kwargs


class CallEvent:
    """One call: its arguments by the names of the function's own parameters, in any order, and its result.

    A wrapper's frame has `args`, `kwargs` and `result` again once all observers are done: an observer may replace an
    argument or the result.
    """

    __slots__ = ("_binding", "args", "began_s", "function", "kwargs", "result", "state")

    def __init__(self, function: str, binding: Binding, args: Args, kwargs: Kwargs, state: int) -> None:
        self.function = function  # its own name
        self._binding = binding
        self.args = args
        self.kwargs = kwargs
        self.state = state  # where the program was when the call began: flags of `intercept.states`
        self.began_s = bound.monotonic()
        self.result: Any = None  # after the call

    def __getitem__(self, name: str) -> Any:
        """Return an argument; None for what was left out."""
        return self._binding.one(name, self.args, self.kwargs)

    def __contains__(self, name: str) -> bool:
        return self._binding.has(name, self.args, self.kwargs)

    def replace(self, name: str, value: Any) -> None:
        """Hand MLX another argument."""
        self.args, self.kwargs = self._binding.put(name, value, self.args, self.kwargs)

    def caller(self) -> FrameType | None:
        """Return the frame that has called the function."""
        frame: FrameType | None = bound.frame(1)
        while frame is not None and frame.f_code not in WRAPPERS:
            frame = frame.f_back
        frame = frame and frame.f_back
        return frame.f_back if frame is not None and CALL in frame.f_code.co_freevars else frame
