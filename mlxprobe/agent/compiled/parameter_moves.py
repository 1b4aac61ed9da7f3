"""Updates that a compiled function makes without an optimizer of MLX, or that are made between its calls."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from mlxprobe.agent.graph import lazy_graph
from mlxprobe.agent.introspection.trees import weak
from mlxprobe.agent.patching.static import at
from mlxprobe.agent.recording.gradient_call import Call
from mlxprobe.agent.recording.parameter_moves import Followed, Path, paths
from mlxprobe.agent.recording.recorder import Recorder


class Parameters(NamedTuple):
    """The parameters of one gradient call in a trace: a model's, or some of the function's arguments."""

    is_model: bool
    model: Callable[[], Any]
    places: list[Path]
    changes: bool  # whether the function computes new ones


class Moved:
    """The parameters of the gradient calls in a compiled function."""

    def __init__(self, site: tuple[str, int]) -> None:
        self._site = site
        self._seen: list[Parameters] = []
        self._followed: list[tuple[Parameters, Followed]] = []
        self._recorder: Recorder | None = None  # that these are known to

    def traced(self, calls: list[Call], given: Any, result: Any, *, by_optimizer: bool) -> None:
        """Take in what a trace has shown; its arrays have no values."""
        self._recorder = None
        seen = [_of_model(one) if one.model is not None else _of_arguments(one, given, result) for one in calls]
        self._seen = [one for one in seen if one.places and not by_optimizer]

    def _introduce(self, recorder: Recorder, given: Any) -> None:
        self._recorder, self._followed = recorder, []
        for one in self._seen:
            key = recorder.moves.of(one.model(), None) if one.is_model else recorder.moves.add(self._site)
            key.follow(one.places)
            key.is_sure |= one.changes
            self._followed.append((one, key))
            if not one.is_model:
                key.begins(given, recorder.updates)  # of a function that was compiled again

    def begins(self, recorder: Recorder, given: Any) -> None:
        """The function is called."""
        if recorder is not self._recorder:
            return  # no call has ended that it knows of
        for one, followed in self._followed:
            followed.begins({"": one.model()} if one.is_model else given, recorder.updates)

    def ends(self, recorder: Recorder, given: Any) -> None:
        """It has returned."""
        if recorder is not self._recorder:
            self._introduce(recorder, given)
        for one, followed in self._followed:
            followed.updates += one.is_model and one.changes
            followed.ends({"": one.model()} if one.is_model else given, one.model())


def _of_model(call: Call) -> Parameters:
    changes = any(at(call.model, path) is not one for path, one in call.left)
    return Parameters(True, weak(call.model), [("", *path) for path, _ in call.left], changes)


def _of_arguments(call: Call, given: Any, result: Any) -> Parameters:
    """Find the parameters among the arguments, and see whether others of their shapes are returned."""
    taken = {id(one) for one in lazy_graph.leaves(call.parameters)}
    places = paths(given, lambda one: id(one) in taken)
    known = {id(one) for one in lazy_graph.leaves([call.gradients, given])}
    shapes = [at(given, path).shape for path in places]
    changes = any(one.shape in shapes and id(one) not in known for one in lazy_graph.leaves(result))
    return Parameters(False, weak(None), places, changes)
