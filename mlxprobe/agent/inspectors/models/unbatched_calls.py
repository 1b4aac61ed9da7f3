"""Whether a model is called for the rows of a batch one after the other, where one call takes them together."""

from __future__ import annotations

import copy
from typing import Any

from mlxprobe.agent.graph import lazy_graph
from mlxprobe.agent.inspectors.losses.loss_graph import unique
from mlxprobe.agent.inspectors.models.model_calls import Made
from mlxprobe.agent.introspection.trees import is_array
from mlxprobe.agent.recording.gradient_call import Call
from mlxprobe.agent.replay.sandbox import Refused, Sandbox, in_evaluation, outputs
from mlxprobe.agent.sampling.dispatcher import Inspection
from mlxprobe.agent.sampling.inspector import Inspector
from mlxprobe.agent.wire import bound
from mlxprobe.protocol.facts.models import RowByRow

MANY = 24  # calls within one gradient call
LARGE = 1 << 20  # elements of the array that rows are sought in
SLOW_S = 0.02  # for one row
NEAR = 1e-3  # of the outputs' size


class Rowwise(Inspector):
    """Give a model some of the rows that it was given one by one together, and compare what it returns."""

    emits = (RowByRow,)
    builds_on = ("Heard",)
    shadows = True

    def __init__(self, inspection: Inspection) -> None:
        super().__init__(inspection)
        self._data: list[Any] = []
        self._settled: set[Any] = set()

    def called(self, call: Call) -> None:
        self._data = [one for _, one in unique(call.data)] if max(self.inspection.often.values(), default=0) else []

    def forget(self) -> None:
        self._data = []
        self.inspection.often.clear()

    def look(self, step: int) -> None:
        seen, data = self.inspection, self._data
        often = dict(seen.often)
        self.forget()
        outer = [one for one in seen.heard if one.outer and one.module is not None]
        for first in outer[:1]:
            key = id(first.module)
            alike = [one for one in outer if one.module is first.module]
            if often.get(key, 0) < MANY or len(alike) < len(outer) or first.code in self._settled:
                continue
            try:
                same = first.effects is not None and self._same(alike, data)
            except Refused:
                same = False
            if same and seen.often_at is not None:
                self._settled.add(first.code)
                name, site = type(first.module).__name__, seen.often_at
                seen.recorder.fact(RowByRow(times=often[key], together=len(alike), model=name), site)

    def _same(self, calls: list[Made], data: list[Any]) -> bool:
        """Tell whether rows of what the gradient call was given have the same outputs where they are given together."""
        given = [one.args[0] for one in calls if len(one.args) == 1 and not one.kwargs and is_array(one.args[0])]
        shapes = {(tuple(one.shape), one.dtype) for one in given}
        if len(given) < len(calls) or len(shapes) > 1 or self.inspection.pending([calls[0].module, *given, *data]):
            return False
        if not are_rows(given, data):
            return False
        sandbox = calls[0].sandbox(self.inspection.nesting)
        return bool(sandbox.run(are_alike, calls[0], given, sandbox))


def are_alike(made: Made, given: list[Any], sandbox: Sandbox) -> bool:
    """Tell whether a model has the same outputs for rows that are given together."""
    import mlx.core as mx

    joined = mx.concatenate if given[0].ndim and given[0].shape[0] == 1 else mx.stack
    in_evaluation(made.module)
    began = bound.process_time()
    each = [outputs(sandbox.call(made.function, made.module, copy.copy(one))) for one in given]
    if bound.process_time() - began > SLOW_S * len(given):
        return False
    together = outputs(sandbox.call(made.function, made.module, joined(given)))
    pairs = [(joined([one[k] for one in each]), whole) for k, whole in enumerate(together)]
    return bool(pairs) and all(
        one.shape == whole.shape and lazy_graph.largest(one - whole) <= NEAR * lazy_graph.largest(whole)
        for one, whole in pairs
    )


def are_rows(given: list[Any], data: list[Any]) -> bool:
    """Tell whether some arrays are rows of one that the gradient call was given, each at a place of its own."""
    import mlx.core as mx

    row = tuple(given[0].shape)
    plain = row[1:] if row[:1] == (1,) else row
    for whole in data:
        if whole.size <= LARGE and whole.ndim == len(plain) + 1 and tuple(whole.shape[1:]) == plain:
            flat = whole.reshape(whole.shape[0], -1)
            found = [mx.all(flat == one.reshape(1, -1), axis=1) for one in given]
            if all(bool(mx.any(one).item()) for one in found) and len({int(mx.argmax(one)) for one in found}) > 1:
                return True
    return False
