"""Micro-batches of a program that updates its parameters by hand: what became of each call's gradients."""

from __future__ import annotations

from typing import Any

from mlxprobe.agent.graph import lazy_graph
from mlxprobe.agent.inspectors.gradients.accumulation import ELEMENTS, LAST_IS_SURE, SMALL, share_of_sum
from mlxprobe.agent.introspection.trees import is_vector
from mlxprobe.agent.recording.gradient_call import Call
from mlxprobe.agent.sampling.dispatcher import Inspection
from mlxprobe.agent.sampling.inspector import Inspector
from mlxprobe.protocol.facts.updates import GradientsDropped

ASKED = 32  # calls in a row, at most, that are looked at for that


class Row:
    """One gradient call: some values of one parameter as it was given, and of its gradient."""

    def __init__(self, number: int, kind: Any, parameter: list[float], gradient: list[float]) -> None:
        self.number = number
        self.kind = kind
        self.parameter = parameter
        self.gradient = gradient


class ByHand(Inspector):
    """Follow one parameter from call to call: by plain descent it moves along the sum of the gradients in between.

    Where each call finds it moved there are no micro-batches, and nothing more is looked at.
    """

    emits = (GradientsDropped,)

    def __init__(self, inspection: Inspection) -> None:
        super().__init__(inspection)
        self._held: tuple[Any, Any, Any, tuple[str, int]] | None = None
        self._window: list[Row] = []  # calls since it has moved
        self._whole = False  # whether those are all
        self._usual = self._last = self._times = self._asked = 0
        self._left = 0  # gradient calls up to the last time that a module was given parameters
        inspection.setting.append(self._setting)

    def _setting(self, _: Any) -> None:
        self._left = self.inspection.recorder.gradients

    def called(self, call: Call) -> None:
        self._held = None
        if self.inspection.recorder.applied or self.inspection.inside or call.parameters is None:
            return
        pairs = list(zip(lazy_graph.leaves(call.parameters), lazy_graph.leaves(call.gradients), strict=False))
        small = [(one, gradient) for one, gradient in pairs if ELEMENTS <= one.size <= SMALL]
        if small and len(pairs) == len(lazy_graph.leaves(call.gradients)):
            one, gradient = min(small, key=lambda pair: (is_vector(pair[0]), int(pair[0].size)))
            kind = call.site, id(call.function), tuple(tuple(array.shape) for array in lazy_graph.leaves(call.data))
            self._held = one, gradient, kind, call.site

    def forget(self) -> None:
        self._held = None

    def look(self, step: int) -> None:
        held, self._held = self._held, None
        if held is None or held[0].shape != held[1].shape or self.inspection.pending(list(held[:2])):
            self._window = []
            return
        values = [lazy_graph.numbers(lazy_graph.sample(one)) for one in held[:2]]
        row = Row(self.inspection.recorder.gradients, held[2], *values)
        last = self._window[-1] if self._window else None
        if last is None or last.number + 1 != row.number or len(last.parameter) != len(row.parameter):
            self._window, self._whole = [row], row.number == 1
        elif last.parameter == row.parameter:
            self._window.append(row)
        else:
            delta = [now - then for now, then in zip(row.parameter, last.parameter, strict=True)]
            if self._whole:
                self._judge(self._window, delta, held[3])
            self._window, self._whole = [row], True
        if (len(self._window) > 1 or self._times or self._usual > 1) and self._asked < ASKED:
            self._asked += 1
            self.inspection.wanted = True

    def _judge(self, calls: list[Row], delta: list[float], site: tuple[str, int]) -> None:
        """See of how many of its last calls a move is the sum."""
        values = [one.gradient for one in calls]
        times, self._times = self._times, 0
        if share_of_sum(values, delta) is not None:
            self._usual = len(calls)
        elif 0 < self._usual < len(calls) and share_of_sum(values[-self._usual :], delta) is not None:
            self._tell(len(calls) - self._usual, len(calls), site)
        elif share_of_sum(values[-1:], delta) is not None and all(one.kind == calls[0].kind for one in calls):
            self._times = times + 1 if self._last == len(calls) else 1
            self._last = len(calls)
            if self._times == LAST_IS_SURE and len(set(map(tuple, values))) == len(calls):
                self._tell(len(calls) - 1, len(calls), site)

    def _tell(self, calls: int, of: int, site: tuple[str, int]) -> None:
        self.inspection.recorder.fact(GradientsDropped(calls=calls, of=of, at_end=False), site)

    def finish(self) -> None:
        """Tell of calls that nothing came after, where a module is given what accumulates."""
        recorder = self.inspection.recorder
        left = recorder.gradients - self._left
        if self._usual > 1 and 0 < left < self._usual and self._left and not recorder.applied:
            recorder.fact(GradientsDropped(calls=left, of=self._usual, at_end=True), recorder.gradient_site)
