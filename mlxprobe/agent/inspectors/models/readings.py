"""Values that a program reads after it has computed a loss or outputs outside of any gradient: are they finite?"""

from __future__ import annotations

import math
from typing import Any

from mlxprobe.agent.introspection import call_site
from mlxprobe.agent.recording.fact_sender import deaf
from mlxprobe.agent.recording.recorder import Recorder
from mlxprobe.agent.wire import bound
from mlxprobe.protocol.facts.losses import EvaluationNotFinite

MOST = 256  # losses of a pass that are known again


class Readings:
    """Follow the scalars that are read in an evaluation pass, up to the next gradient call."""

    def __init__(self, recorder: Recorder) -> None:
        self._recorder = recorder
        self._gradients = -1  # calls before the pass that is open
        self._losses: dict[int, bound.ref[Any]] = {}  # of MLX's functions, by identity
        self._computed = False  # whether one of MLX's losses was, in this pass
        self._finite = False  # whether any scalar that was read in it is
        self._passes = self._bad = self._last_bad = 0
        self._site = call_site.NOWHERE
        self._told = "", False  # what was read, and whether it is a loss

    def passes(self) -> None:
        """A trained model is called, or a loss computed, outside of any gradient."""
        if self._gradients != self._recorder.gradients:
            self._gradients = self._recorder.gradients
            self._losses, self._computed, self._finite = {}, False, False
            self._passes += 1
            self._recorder.heard = self.read

    def computes(self, loss: Any) -> None:
        """One of MLX's losses was computed outside of any gradient."""
        self.passes()
        self._computed = True
        if getattr(loss, "size", 0) == 1 and len(self._losses) < MOST:
            self._losses[id(loss)] = bound.ref(loss)

    def read(self, array: Any, value: Any) -> None:
        """The program has read an array."""
        if self._gradients != self._recorder.gradients:
            self._recorder.heard = deaf
            return
        known = number(array, value)
        if known is None or math.isfinite(known):
            self._finite = self._finite or known is not None
            return
        one = self._losses.get(id(array))
        is_loss = one is not None and one() is array
        if is_loss or math.isnan(known):
            self._bad += self._last_bad != self._passes
            self._last_bad = self._passes
            self._site = call_site.calling()
            self._told = str(known), is_loss or (self._computed and not self._finite)
            self.tell()

    def tell(self) -> None:
        """Tell how many passes were not finite, and whether the last one was."""
        if self._bad:
            last = self._last_bad == self._passes
            value, loss = self._told
            told = EvaluationNotFinite(passes=self._passes, bad=self._bad, last=last, value=value, loss=loss)
            self._recorder.revise(told, self._site)


def number(array: Any, value: Any) -> float | None:
    """Return what was read as a number; None where that was no floating-point scalar."""
    if isinstance(value, float):
        return value
    if isinstance(value, str) and array.size == 1:
        text = value.removeprefix("array(").partition(",")[0]
        try:
            return float(text) if "float" in str(array.dtype) else None
        except ValueError:
            return None
    return None
