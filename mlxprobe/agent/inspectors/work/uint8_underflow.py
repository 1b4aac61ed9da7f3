"""Differences of bytes that are less than zero, and so begin again at 255: pixels that were to be centred."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from mlxprobe.agent.graph import lazy_graph
from mlxprobe.agent.introspection import call_site
from mlxprobe.agent.patching import static
from mlxprobe.agent.sampling.dispatcher import Inspection
from mlxprobe.protocol.facts.data import BytesWrapAround

MOST = 4  # differences that are looked at
MOST_BYTES = 1 << 22
LEAST, MATRIX = 0.01, 2  # share of the elements; axes


class Wraps:
    """Look at a few differences of arrays of `uint8` that somebody else's look has wrapped the operator for."""

    def __init__(self, inspection: Inspection) -> None:
        self._inspection = inspection
        self._left = MOST

    def minus(self, original: Callable[[Any, Any], Any]) -> Callable[[Any, Any], Any]:
        """Return a subtraction that tells of what it has looked at."""

        def minus(a: Any, b: Any) -> Any:
            result = original(a, b)
            if self._left and not self._inspection.busy:
                with self._inspection.recorder.carefully():
                    self._subtracted(a, result)
            return result

        return minus

    def _subtracted(self, a: Any, result: Any) -> None:
        if is_bytes(a) and is_bytes(result):
            self._inspection.at_our_cost(self._look, a, result)

    def _look(self, a: Any, result: Any) -> None:
        import mlx.core as mx

        if a.shape != result.shape or a.nbytes > MOST_BYTES or lazy_graph.pending([a]):
            return
        self._left -= 1
        share = mx.mean(result > a).item()
        if LEAST < share < 1:
            self._inspection.recorder.fact(BytesWrapAround(share=share), call_site.calling())


def is_bytes(one: Any) -> bool:
    """Tell whether something is an array of unsigned bytes, of more than one axis."""
    return static.is_data(one) and str(one.dtype).endswith("uint8") and one.ndim >= MATRIX
