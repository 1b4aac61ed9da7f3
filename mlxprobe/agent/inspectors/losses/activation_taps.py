"""Softmaxes, sigmoids and exponentials within a gradient call, with their lines."""

from __future__ import annotations

from collections import deque
from typing import Any

from mlxprobe.agent.intercept.events import CallEvent
from mlxprobe.agent.introspection import call_site
from mlxprobe.agent.sampling.in_gradients import in_gradients

KEPT = 8  # the last of a kind of a call: a loss is given one of these
FEWEST, MOST = 8, 4096  # elements of what an exponential is taken of


class Held:
    """A result; of an exponential, what it is of."""

    def __init__(self, array: Any, axis: int = -1) -> None:
        self.array = array
        self.axis = axis
        self.site = call_site.calling()


class Squashes:
    """Hold the last ones while a gradient call that is looked at or traced lasts.

    By name they are `s…`, those of them that are no softmax along the last axis `w…`, exponents `e…`, and what is cut
    off below zero `r…`.
    """

    observes = (
        *in_gradients("mlx.core.softmax", "_squashed", after=True),
        *in_gradients("mlx.core.sigmoid", "_squashed", after=True),
        *in_gradients("mlx.core.exp", "_raised", after=True),
        *in_gradients("mlx.nn.layers.activations.relu", "_rectified", after=True),
        *in_gradients("mlx.nn.layers.activations.ReLU.__call__", "_rectified", after=True),
    )

    def __init__(self) -> None:
        self._held: dict[str, deque[Held]] = {kind: deque(maxlen=KEPT) for kind in "swer"}

    def _squashed(self, event: CallEvent) -> None:
        made, axis = event.result, event["axis"]
        turned = isinstance(axis, int) and made.ndim > 1 and axis % made.ndim < made.ndim - 1
        self._held["w" if turned else "s"].append(Held(made, axis % made.ndim if turned else -1))

    def _rectified(self, event: CallEvent) -> None:
        self._held["r"].append(Held(event.result))

    def _raised(self, event: CallEvent) -> None:
        if FEWEST <= event.result.size <= MOST:
            self._held["e"].append(Held(event["a"]))

    def let_go(self) -> dict[str, Held]:
        """Return what is held, by name, and hold it no more."""
        found = {f"{kind}{k}": one for kind, some in self._held.items() for k, one in enumerate(some)}
        for some in self._held.values():
            some.clear()
        return found
