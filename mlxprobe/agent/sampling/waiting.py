"""What is known to wait for its evaluation without being drawn."""

from __future__ import annotations

from typing import Any

from mlxprobe.agent.graph import lazy_graph
from mlxprobe.agent.recording.gradient_call import Call
from mlxprobe.agent.recording.recorder import Recorder

EVERY = 1  # steps without an evaluation: who evaluates once a step, before the update or after it, has no more


class Waiting:
    """Gradients of the last call, and parameters whose update waits, as long as nothing has been evaluated."""

    def __init__(self, recorder: Recorder) -> None:
        self._recorder = recorder
        self._known: set[int] = set()
        self._evaluations = -1

    def called(self, call: Call) -> None:
        """A gradient call has returned."""
        recorder = self._recorder
        self._known, self._evaluations = set(), recorder.evaluations
        if recorder.lazy_steps >= EVERY:
            model = call.model  # which may have other handles of its parameters than the call
            updated = [call.parameters, model.trainable_parameters()] if recorder.trained.waits(model) else []
            self._known = {id(one) for one in lazy_graph.leaves([updated, call.gradients])}

    def holds(self, arrays: list[Any]) -> bool:
        """Tell whether any of the arrays waits for sure."""
        recorder = self._recorder
        lazy = recorder.lazy_steps > EVERY and recorder.evaluations == self._evaluations
        return lazy and any(id(one) in self._known for one in arrays)
