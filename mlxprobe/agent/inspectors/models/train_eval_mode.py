"""Whether a loss outside of any gradient is computed in training mode: by its graph, not by what modules say."""

from __future__ import annotations

from types import CodeType, FrameType
from typing import Any

from mlxprobe.agent.graph import lazy_graph
from mlxprobe.agent.graph.dataflow import LossGraph
from mlxprobe.agent.inspectors.models.module_state import keeps
from mlxprobe.agent.introspection import call_site
from mlxprobe.agent.recording.recorder import Recorder
from mlxprobe.agent.wire import bound
from mlxprobe.protocol.facts.models import TrainingMode

SURE = 2  # passes in training mode
SELDOM = 4  # steps for each pass
FIRST = 8  # losses of one way to come there that are looked behind, one a step
WAYS = 8  # of those
TRAINED = 8  # steps, before a single pass at the end is a test
PARAMETERS = 64


class Modes:
    """Remember which passes ran in training mode."""

    def __init__(self, recorder: Recorder) -> None:
        self._recorder = recorder
        self._steps: dict[str, set[int]] = {}  # by kind
        self._looked: dict[int, set[int]] = {}  # by the way there, the steps at which a loss was looked behind
        self._differentiated: set[CodeType] = set()  # functions that compute losses within gradient calls
        self._last: tuple[int, tuple[str, int]] = -1, ("", 0)  # gradient calls before the last pass, and its place

    def within(self) -> None:
        """A loss is computed within a gradient call: remember by which function, of the first ones."""
        if len(self._differentiated) < WAYS:
            self._differentiated |= {frame.f_code for frame in users()[:1]}

    def alone(self, loss: Any, model: Any) -> None:
        """Look behind a loss that no gradient is taken of: the first of its kind at a step, at a few steps."""
        recorder = self._recorder
        if recorder.lazy_steps > 1 or not self._is_worth_it() or not drops(model):
            return
        named = {f"p{k}": one for k, one in enumerate(lazy_graph.leaves(model.trainable_parameters())[:PARAMETERS])}
        drawn = LossGraph(lazy_graph.dot(loss=loss, **named), frozenset(named))
        if drawn.found and drawn.drops():
            self.passed("dropout")
            if drawn.uses() == 1:  # a mean over several draws is meant
                self._last = recorder.gradients, self._caller()

    def _caller(self) -> tuple[str, int]:
        """Return the line that has the loss computed: not one of the loss function itself, which training calls too."""
        outside = [one for one in users() if one.f_code not in self._differentiated]
        return (outside[0].f_code.co_filename, outside[0].f_lineno) if outside else call_site.calling()

    def _is_worth_it(self) -> bool:
        steps = self._looked.setdefault(way(), set())
        step = self._recorder.step
        if step in steps or len(steps) >= FIRST or len(self._looked) > WAYS:
            return False
        steps.add(step)
        return True

    def passed(self, kind: str) -> None:
        """Something ran in training mode outside of any gradient; at most steps a generator's statistics do."""
        recorder = self._recorder
        steps = self._steps.setdefault(kind, set())
        steps.add(recorder.step)
        if len(steps) >= SURE and len(steps) * SELDOM <= recorder.step:
            recorder.fact(TrainingMode(kind=kind), loop() or call_site.calling())

    def finish(self) -> None:
        """Tell of a pass with dropout after the last gradient call: a test."""
        gradients, site = self._last
        if gradients == self._recorder.gradients and self._recorder.step >= TRAINED:
            self._recorder.fact(TrainingMode(kind="dropout"), site)


def users() -> list[FrameType]:
    """List the user's frames that are being executed, innermost first."""
    found, frame = [], bound.frame(1)
    while frame.f_back is not None:
        frame = frame.f_back
        if call_site.is_users(frame.f_code.co_filename):
            found.append(frame)
    return found


def way() -> int:
    """Return a number for the user's lines that are being executed."""
    return hash(tuple((id(one.f_code), one.f_lineno) for one in users()))


def loop() -> tuple[str, int] | None:
    """Return the innermost line of the user's that is inside a loop."""
    import dis

    for frame in users():
        for one in dis.get_instructions(frame.f_code):
            backward = one.opname.startswith(("JUMP", "POP_JUMP")) and isinstance(one.argval, int)
            if backward and one.argval <= frame.f_lasti < one.offset:
                return frame.f_code.co_filename, frame.f_lineno
    return None


def drops(model: Any) -> bool:
    """Tell whether a dropout layer of a model is in training mode, and drops something there."""
    from mlx import nn

    kinds = (nn.Dropout, nn.Dropout2d, nn.Dropout3d)
    return any(isinstance(one, kinds) and one.training and keeps(one) < 1 for one in model.modules())
