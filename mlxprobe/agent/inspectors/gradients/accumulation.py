"""Gradients of several calls and the update that they end in: their sum, their mean, or not all of them."""

from __future__ import annotations

from typing import Any

from mlxprobe.agent.graph import lazy_graph
from mlxprobe.agent.intercept.events import CallEvent
from mlxprobe.agent.intercept.intercepts import Observe
from mlxprobe.agent.intercept.states import OURS, SAMPLED
from mlxprobe.agent.introspection import call_site, isolated_import
from mlxprobe.agent.recording.gradient_call import Call
from mlxprobe.agent.sampling.dispatcher import Inspection
from mlxprobe.agent.sampling.inspector import Inspector
from mlxprobe.protocol.facts.updates import GradientsAccumulated, GradientsDropped, NotCleared

SMALL = 4096  # elements of the one parameter whose gradients are kept
ELEMENTS = 3  # fewer are a multiple of whatever else by chance
CARRIED_IS_SURE = 2
LAST_IS_SURE = 3  # updates in a row that took the last of several equal calls alone
TOLERANCE = 2e-2  # of half precision


class Kept:
    """One gradient call: a small parameter, its gradient, and what tells whether calls are micro-batches of a kind."""

    def __init__(self, call: Call, gradient: Any, parameter: Any) -> None:
        self.gradient = gradient
        self.parameter = parameter
        self.code = call.code
        self.within = {(key, frame.f_code) for key, frame in call_site.stack()}
        self.kind = call.site, id(call.function), tuple(tuple(one.shape) for one in lazy_graph.leaves(call.data))


class Accumulation(Inspector):
    """Keep one small parameter's gradient of each call, and compare the update's with their sum."""

    emits = (GradientsAccumulated, GradientsDropped, NotCleared)
    observes = (Observe("mlx.optimizers.optimizers.clip_grad_norm", "_clips", after=True, needs=SAMPLED, never=OURS),)
    builds_on = ("Losses",)
    shadows = True

    def __init__(self, inspection: Inspection) -> None:
        super().__init__(inspection)
        self._path = ""
        self._calls: dict[int, list[Kept]] = {}
        self._update: tuple[list[Kept], Any, str, tuple[str, int]] | None = None
        self._handed = call_site.NOWHERE  # the end of the user's function that hands out what is accumulated
        self._loop = call_site.NOWHERE  # the line that led to the last update, in the function that made its calls too
        self._scalings: list[int] = []
        self._usual = 0
        self._clipped: tuple[Any, Any] = None, None  # that gradient after clipping by norm, and before
        self._before: tuple[int, list[float]] = 0, []  # the last update, and what it was given
        self._carried = 0  # updates in a row that were given all of the one before as well
        self._last = 0, 0, 0  # calls of an update that took the last of them alone, how many, and such updates in a row

    def _clips(self, event: CallEvent) -> None:
        if self.inspection.home.here() and self._path:
            trees = event.result[0], event["grads"]
            after, before = (dict(lazy_graph.named_leaves(one)).get(self._path) for one in trees)
            self._clipped = after, before  # its factor would hide a sum's

    def called(self, call: Call) -> None:
        named = dict(lazy_graph.named_leaves(call.gradients))
        if self._path not in named:
            small = sorted((one.size, path) for path, one in named.items() if one.size <= SMALL)
            self._path = next((path for size, path in small if size >= ELEMENTS), small[-1][1] if small else "")
        if self._path in named:
            kept = Kept(
                call,
                named[self._path],
                dict(zip(named, lazy_graph.leaves(call.parameters), strict=False)).get(self._path),
            )
            self._calls.setdefault(id(call.model) if call.model is not None else 0, []).append(kept)
        known = self.inspection.view.scalings
        self._scalings.append(-1 if known is None else known)

    def updating(self, model: Any, optimizer: Any, gradients: Any) -> None:
        calls = self._calls.pop(id(model), None) or self._calls.pop(0, [])
        passed = dict(lazy_graph.named_leaves(gradients)).get(self._path)
        after, before = self._clipped
        passed = before if passed is after else passed
        if calls and passed is not None and all(one.gradient.shape == passed.shape for one in calls):
            self._update = calls, passed, type(optimizer).__name__, call_site.calling()
            if len(calls) == 1:
                calls[0].parameter = None  # nothing to compare it with: it may be computed in place
            else:
                self._loop = self.inspection.recorder.loop_site = loop_of(calls[-1])
                if not self._usual:
                    with isolated_import.importable():
                        from mlxprobe.agent.recording import value_provenance
                    self._handed = value_provenance.returned("gradients")

    def forget(self) -> None:
        self._calls.clear()
        self._update, self._scalings, self._clipped = None, [], (None, None)

    def look(self, step: int) -> None:
        update, scalings = self._update, self._scalings
        self.forget()
        if update is None or self.inspection.pending([update[0][-1].gradient, update[1]]):
            return
        calls, passed, optimizer, site = update
        if self.inspection.pending([one.gradient for one in calls]):  # of some that nobody has computed
            last = lazy_graph.numbers(calls[-1].gradient)
            self._look_for_last(calls, [last], lazy_graph.numbers(passed))
            return
        values, sum_ = [lazy_graph.numbers(one.gradient) for one in calls], lazy_graph.numbers(passed)
        self._follow(values, sum_, site)
        if len(calls) < 2:
            return
        share = share_of_sum(values, sum_)
        if share is None and 0 < self._usual < len(calls) and share_of_sum(values[-self._usual :], sum_) is not None:
            told = GradientsDropped(calls=len(calls) - self._usual, of=len(calls), at_end=False)
            self.inspection.recorder.fact(told, self._loop)
        self._look_for_last(calls, values, sum_ if share is None else [])
        if share is not None and all(one.code is calls[0].code for one in calls):  # a sum of tasks is meant
            self._usual = len(calls)
            place, seen = call_site.blamed(self._handed, site)
            self.inspection.recorder.fact(
                GradientsAccumulated(
                    seen=seen, calls=len(calls), share=share, scalings=min(scalings, default=-1), optimizer=optimizer
                ),
                place,
            )

    def _look_for_last(self, calls: list[Kept], values: list[list[float]], passed: list[float]) -> None:
        """Tell of updates that take the last of as many calls as always, all at the same weights and of one kind.

        The gradients of the others may never have been computed: `values` are then of the last alone.
        """
        alike = all(one.kind == calls[0].kind for one in calls) and len(set(map(tuple, values))) == len(values)
        alike = alike and len(passed) >= ELEMENTS
        most = min(len(calls), len(values) + 1) if alike else 0
        taken = next((k for k in range(1, most) if share_of_sum(values[-k:], passed) is not None), 0)
        times = self._last[2] if self._last[:2] == (len(calls), taken) else 0
        same = bool(taken) and self._at_rest(calls)
        self._last = (len(calls), taken, times + 1) if same else (0, 0, 0)
        if self._last[2] >= LAST_IS_SURE:
            told = GradientsDropped(calls=len(calls) - taken, of=len(calls), at_end=False)
            self.inspection.recorder.fact(told, self._loop)

    def _at_rest(self, calls: list[Kept]) -> bool:
        """Tell whether a parameter was the same in all calls: whoever perturbs it in between needs each gradient."""
        parameters = [one.parameter for one in calls]
        if any(one is None for one in parameters) or self.inspection.pending(parameters):
            return False
        return len({tuple(lazy_graph.numbers(one)) for one in parameters}) == 1

    def _follow(self, values: list[list[float]], passed: list[float], site: tuple[str, int]) -> None:
        """Tell of updates that are given what the one before was given, whole, and the new gradients on top of it."""
        recorder = self.inspection.recorder
        (updates, before), self._before = self._before, (recorder.updates, passed)
        carried = updates + 1 == recorder.updates and len(before) == len(passed) >= ELEMENTS and any(before)
        if carried and share_of_sum(values, passed) is None:
            share = share_of_sum(values, [now - then for now, then in zip(passed, before, strict=True)])
            self._carried = self._carried + 1 if share is not None and share > 0 else 0
        else:
            self._carried = 0
        if self._carried == CARRIED_IS_SURE:
            place, seen = call_site.blamed(self._handed, site)
            recorder.fact(NotCleared(calls=len(values), seen=seen), place)


def loop_of(call: Kept) -> tuple[str, int]:
    """Return the line under way in the innermost function that has made a call; that of the update else."""
    for key, frame in call_site.stack():
        if (key, frame.f_code) in call.within:
            return frame.f_code.co_filename, frame.f_lineno
    return call_site.calling()


def share_of_sum(calls: list[list[float]], passed: list[float]) -> float | None:
    """Return the factor by which the update's gradient is the sum of the calls'; None where it is no multiple."""
    total = [sum(values) for values in zip(*calls, strict=True)]
    length = sum(value * value for value in total)
    if length == 0.0:
        return None
    share = sum(p * t for p, t in zip(passed, total, strict=True)) / length
    left = sum((p - share * t) ** 2 for p, t in zip(passed, total, strict=True))
    size = sum(p * p for p in passed)
    return share if size > 0 and left <= TOLERANCE**2 * size else None
