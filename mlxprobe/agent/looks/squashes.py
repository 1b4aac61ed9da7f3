"""Softmaxes, sigmoids and exponentials within a gradient call, with their lines."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Any

from mlxprobe.agent.code import sites
from mlxprobe.agent.looks.inspection import Inspection
from mlxprobe.agent.wrapping.arguments import like
from mlxprobe.agent.wrapping.given import Given

KEPT = 8  # the last of a kind of a call: a loss is given one of these
FEWEST, MOST = 8, 4096  # elements of what an exponential is taken of


class Held:
    """A result; of an exponential, what it is of."""

    def __init__(self, array: Any, axis: int = -1) -> None:
        self.array = array
        self.axis = axis
        self.site = sites.calling()


class Squashes:
    """Hold the last ones while a gradient call that is looked at or traced lasts.

    By name they are `s…`, those of them that are no softmax along the last axis `w…`, exponents `e…`, and what is cut
    off below zero `r…`.
    """

    def __init__(self, inspection: Inspection) -> None:
        self._inspection = inspection
        self._held: dict[str, deque[Held]] = {kind: deque(maxlen=KEPT) for kind in "swer"}

    def imported(self, name: str, module: Any) -> None:
        """Wrap what one of MLX's modules offers."""
        if name == "mlx.core":
            module.softmax = self._wrapped(module.softmax, self._squashed, "a", "axis")
            module.sigmoid = self._wrapped(module.sigmoid, self._squashed, "a")
            module.exp = self._wrapped(module.exp, self._raised, "a")
        elif name == "mlx.nn.layers.activations":
            module.relu = self._wrapped(module.relu, self._rectified)
            module.ReLU.__call__ = self._wrapped(module.ReLU.__call__, self._rectified)

    def _wrapped(self, original: Callable[..., Any], hold: Callable[..., None], *names: str) -> Callable[..., Any]:
        inspection, nesting = self._inspection, self._inspection.nesting
        given = Given(original, *names)

        @like(original)
        def squash(*args: Any, **kwargs: Any) -> Any:
            made = original(*args, **kwargs)
            if nesting.depth and (inspection.due or nesting.tracing) and not inspection.busy:
                hold(made, *given(args, kwargs))
            return made

        return squash

    def _squashed(self, made: Any, a: Any, axis: Any = None) -> None:
        turned = isinstance(axis, int) and made.ndim > 1 and axis % made.ndim < made.ndim - 1
        self._held["w" if turned else "s"].append(Held(made, axis % made.ndim if turned else -1))

    def _rectified(self, made: Any) -> None:
        self._held["r"].append(Held(made))

    def _raised(self, made: Any, a: Any) -> None:
        if FEWEST <= made.size <= MOST:
            self._held["e"].append(Held(a))

    def let_go(self) -> dict[str, Held]:
        """Return what is held, by name, and hold it no more."""
        found = {f"{kind}{k}": one for kind, some in self._held.items() for k, one in enumerate(some)}
        for some in self._held.values():
            some.clear()
        return found
