"""Inputs of convolutions and recurrent layers whose layout the layer cannot check."""

from __future__ import annotations

import sys
from typing import Any

from mlxprobe.agent.graph import lazy_graph
from mlxprobe.agent.inspectors.losses.loss_taps import is_ids
from mlxprobe.agent.intercept.events import CallEvent
from mlxprobe.agent.intercept.intercepts import Observe
from mlxprobe.agent.intercept.states import GRADIENT, OURS, SAMPLED, TRACE
from mlxprobe.agent.introspection import call_site
from mlxprobe.agent.patching import static
from mlxprobe.agent.recording.gradient_call import Call
from mlxprobe.agent.sampling.dispatcher import Inspection
from mlxprobe.agent.sampling.inspector import Inspector
from mlxprobe.protocol.facts.models import ChannelsFirst, HeadsSwapped, Reshaped, RowsSecond, TimeFirst

SMOOTH, ROUGH = 0.5, 0.25
ENOUGH_LENGTH = 4
ENOUGH_ROWS = 8  # and moments, to tell one from the other
RECURRENT = ("RNN", "GRU", "LSTM")
SURE = 2
MOST = 8  # rotations of a gradient call
RESHAPED = 3  # looks that found a reshape in the place of a transposition
LARGE = 1_000_000  # elements, of which a copy is not worth its memory


class Layouts(Inspector):
    """Where length and channels are the same number, tell by the data: neighbours in time resemble each other.

    So they do where a recurrent layer is given time first, and takes that for the rows of a batch.
    """

    emits = (ChannelsFirst, HeadsSwapped, Reshaped, RowsSecond, TimeFirst)
    observes = (
        Observe("mlx.core.fast.rope", "_turns", needs=SAMPLED | GRADIENT),
        Observe("mlx.core.reshape", "_reshapes", after=True, needs=SAMPLED, never=OURS),
        Observe("mlx.core.array.reshape", "_reshapes", after=True, needs=SAMPLED, never=OURS),
        Observe("mlx.nn.layers.convolution.Conv1d.__call__", "_convolves", needs=SAMPLED, never=OURS | TRACE),
        Observe("mlx.nn.layers.convolution.Conv1d.__call__", "_failed", raised=True),
        *(
            Observe(f"mlx.nn.layers.recurrent.{kind}.__call__", "_recurs", needs=SAMPLED, never=OURS | TRACE)
            for kind in RECURRENT
        ),
    )
    shadows = True

    def __init__(self, inspection: Inspection) -> None:
        super().__init__(inspection)
        self._held: list[tuple[Any, tuple[str, int], int]] = []  # with the axis that time may lie along
        self._seen = 0
        self._turned: list[tuple[tuple[int, ...], tuple[str, int]]] = []  # what was given its positions, and where
        self._rows = 0  # looks that found the rows along the second axis
        self._heads = 0  # looks that found them given to heads
        self._reshaped: dict[tuple[str, int], set[int]] = {}  # the steps of those, by their lines

    def _reshapes(self, event: CallEvent) -> None:
        if self.inspection.recorder.gradients and is_users(event):
            a = event["self"] if "self" in event else event["a"]
            if is_torn(a, event.result):
                self._found_permuted(a.shape, event.result.shape)

    def _found_permuted(self, before: tuple[int, ...], after: tuple[int, ...]) -> None:
        site = call_site.calling()
        steps = self._reshaped.setdefault(site, set())
        steps.add(self.inspection.recorder.step)
        if len(steps) == RESHAPED:
            self.inspection.recorder.fact(Reshaped(before=str(tuple(before)), after=str(tuple(after))), site)

    def _turns(self, event: CallEvent) -> None:
        shape = static.shape(event["a"])
        if self._heads < SURE and len(shape) == 4:
            self._turned = [*self._turned[1 - MOST :], (shape, call_site.calling())]

    def called(self, call: Call) -> None:
        """See whether rotary positions, which MLX counts along the last axis but one, are along the heads."""
        self._look_for_rows(call)
        turned, self._turned = self._turned, []
        ids = [one for one in lazy_graph.leaves(call.data) if one.ndim == 2 and is_ids(one)]
        longest = max((one.shape[1] for one in ids), default=0)  # shorter ones may be where the rows begin and end
        lengths = {longest, longest - 1}
        rows = {one.shape[0] for one in ids}
        for shape, site in turned:
            if shape[0] in rows and shape[1] in lengths and shape[2] not in lengths and self._heads < SURE:
                self._heads += 1
                if self._heads == SURE:
                    self.inspection.recorder.fact(HeadsSwapped(shape=str(shape), heads=shape[2]), site)
                return

    called_in_trace = called

    def _look_for_rows(self, call: Call) -> None:
        """See whether what a recurrent layer takes for time has as many places as there are targets, one for a row."""
        lengths = {one.shape[0] for one in lazy_graph.leaves(call.data) if one.ndim == 1}
        for x, site, axis in self._held if len(lengths) == 1 else ():
            if axis == 0 and x.shape[0] not in lengths and x.shape[1] in lengths and self._rows < SURE:
                self._rows += 1
                if self._rows == SURE:
                    self.inspection.recorder.fact(RowsSecond(shape=str(tuple(x.shape)), rows=x.shape[1]), site)

    def _recurs(self, event: CallEvent) -> None:
        x = event["x"]
        if not self._held and len(static.shape(x)) == 3 and min(x.shape[:2]) >= ENOUGH_ROWS and x.size <= LARGE:
            self._held.append((x, call_site.calling(), 0))

    def _convolves(self, event: CallEvent) -> None:
        if not self._held and is_square(event["x"]):
            self._held.append((event["x"], call_site.calling(), 2))

    def _failed(self, event: CallEvent) -> None:
        """Tell of a convolution whose weights have as many channels as there are places."""
        shape, weights = static.shape(event["x"]), static.shape(event["self"].weight)
        refused = static.is_a(sys.exc_info()[1], ValueError)
        if refused and len(shape) == len(weights) == 3 and shape[1] == weights[2] != shape[2]:
            self.inspection.recorder.fact(ChannelsFirst(shape=str(shape), channels=weights[2]), call_site.calling())

    def forget(self) -> None:
        self._held = []

    def look(self, step: int) -> None:
        held = self._held
        self.forget()
        for x, site, axis in held:
            if self.inspection.pending([x]) or (not axis and lazy_graph.largest(x[1:] - x[:-1]) == 0):
                continue  # rows that are equal are no moments either
            # rows that come in the order of their levels are no moments
            time, other = neighbours(x, 1), neighbours(x if axis else x - x.mean(axis=1, keepdims=True), axis)
            if other > SMOOTH and time < ROUGH:
                self._seen += 1
                if self._seen == SURE:
                    kind = ChannelsFirst if axis else TimeFirst
                    told = kind(shape=str(tuple(x.shape)), time=time, channels=other)
                    self.inspection.recorder.fact(told, site)


def is_users(event: CallEvent) -> bool:
    """Tell whether the user calls, and no library."""
    frame = event.caller()
    return frame is not None and call_site.is_users(frame.f_code.co_filename)


def is_permuted(a: Any, made: Any) -> bool:
    """Tell whether an array of three axes or more was given the same sizes in another order: no axis has moved."""
    before, after = [[one for one in static.shape(array) if one > 1] for array in (a, made)]
    return len(before) > 2 and before != after and sorted(before) == sorted(after) and a.ndim == made.ndim


def is_torn(a: Any, made: Any) -> bool:
    """Tell whether a reshape does what a transposition was to do, or leaves one out that heads need.

    Heads are split off the last axis, and stand before the places: (N, L, H·D) to (N, H, L, D), or back.
    """
    before, after = static.shape(a), tuple(made.shape)
    few, many = sorted((before, after), key=len)
    if (len(few), len(many)) == (3, 4) and few[0] == many[0] and 1 < many[1] != many[2] == few[1] > 1:
        return bool(many[3] > 1)
    return is_permuted(a, made)


def is_square(x: Any) -> bool:
    """Tell whether length and channels of (N, L, C) data are the same number."""
    return len(static.shape(x)) == 3 and x.shape[1] == x.shape[2] >= ENOUGH_LENGTH and x.size <= LARGE


def neighbours(x: Any, axis: int) -> float:
    """Return the correlation of values that are neighbours along an axis."""
    import mlx.core as mx

    x = x.astype(mx.float32)
    x = x - mx.mean(x, axis=axis, keepdims=True)
    along = mx.swapaxes(x, axis, 0)
    power = lazy_graph.number(mx.sum(along * along))
    return lazy_graph.number(mx.sum(along[1:] * along[:-1])) / power if power else 0.0
