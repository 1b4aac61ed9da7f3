"""What is left of an adapter that is fused into quantised weights."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, NamedTuple

from mlxprobe.agent.graph import lazy_graph
from mlxprobe.agent.intercept.events import CallEvent
from mlxprobe.agent.intercept.intercepts import Observe
from mlxprobe.agent.intercept.states import GRADIENT, OURS, TRACE
from mlxprobe.agent.introspection import call_site, lora_detection
from mlxprobe.agent.introspection.trees import weak
from mlxprobe.agent.patching import static
from mlxprobe.agent.patching.interrupts import let_through
from mlxprobe.agent.sampling.dispatcher import Inspection
from mlxprobe.agent.sampling.inspector import Inspector
from mlxprobe.protocol.facts.adapters import Fused, FusedNothing

ROWS = 64
KEPT = 64  # dequantised weights to compare with: some rows of each
MEASURED = 12  # fused weights: the first ones tell of all
CLOSE = 0.5  # of the weight's own size, which a change of it stays below
LOW_RANK, ENERGY = 4, 0.9  # a quarter of the rows' directions holds nearly all of an adapter's change


class Rows(NamedTuple):
    """Some rows of a weight that was dequantised, and which that was."""

    shape: tuple[int, ...]
    values: Any
    packed: int


class Fusing(Inspector):
    """Compare some rows of what is quantised with the like of what was dequantised before, and with what it becomes.

    Only outside of gradients and traces. A fused weight is evaluated with its quantised parts, which would have been
    evaluated later; what quantises weights that come from nowhere is left alone.
    """

    emits = (Fused, FusedNothing)
    observes = (
        Observe("mlx.core.dequantize", "_dequantize", after=True, never=OURS | GRADIENT | TRACE),
        Observe("mlx.core.quantize", "_quantize", after=True, never=OURS | GRADIENT | TRACE),
    )

    def __init__(self, inspection: Inspection) -> None:
        super().__init__(inspection)
        self._rows: list[Rows] = []
        self._kept: dict[str, list[tuple[float, float]]] = {}
        self._known: set[int] = set()
        self._measured = self._unchanged = 0
        self._model: Callable[[], Any] = lambda: None

    def training(self, model: Any, optimizer: Any) -> None:
        if static.is_module(model):
            self._model = weak(model)

    def _dequantize(self, event: CallEvent) -> None:
        args = event.args
        if len(self._rows) < KEPT and args and id(args[0]) not in self._known:
            self._known.add(id(args[0]))
            self.inspection.at_our_cost(self._where_it_can_be, self._remember, args, event.kwargs, event.result)

    def _quantize(self, event: CallEvent) -> None:
        if self._rows and self._measured < MEASURED and event.args:
            self.inspection.at_our_cost(self._where_it_can_be, self._measure, event.args, event.kwargs, event.result)

    def _where_it_can_be(self, judge: Callable[..., None], *given: Any) -> None:
        """Judge what is fused; nothing more where a call has another form, which MLX does not take for some rows."""
        try:
            judge(*given)
        except (IndexError, RuntimeError, TypeError, ValueError) as error:
            let_through(error)
            self._measured = MEASURED

    def _remember(self, args: tuple[Any, ...], kwargs: dict[str, Any], made: Any) -> None:
        import mlx.core as mx

        parts = [some(one) if static.is_array(one) else one for one in args]
        values = mx.dequantize(
            *parts, **{key: some(one) if static.is_array(one) else one for key, one in kwargs.items()}
        )
        values = values.astype(mx.float32)
        mx.eval(values)
        self._rows.append(Rows(tuple(made.shape), values, id(args[0])))

    def _measure(self, args: tuple[Any, ...], kwargs: dict[str, Any], made: Any) -> None:
        """Compare what a weight has become with the old one that it is closest to."""
        import mlx.core as mx

        alike = [one for one in self._rows if one.shape == tuple(args[0].shape)]
        if not alike:
            return
        wanted = some(args[0]).astype(mx.float32)
        mx.eval(wanted, *made)
        options = {key: one for key, one in kwargs.items() if key != "stream"}
        got = mx.dequantize(*(some(one) for one in made), *args[1:], **options).astype(mx.float32)
        nearest = min(alike, key=lambda one: size(wanted - one.values))
        old = nearest.values
        change, left = wanted - old, got - old
        if not size(change) and self._is_adapted(nearest.packed):
            self._unchanged += 1
            self.inspection.recorder.revise(FusedNothing(weights=self._unchanged), call_site.calling())
        if not 0 < size(change) < CLOSE * size(old) or not is_low_rank(wanted, old):
            return
        self._measured += 1
        whole = float((change * change).sum())
        self._tell(1 - float((change * left).sum()) / whole, size(left - change) / size(change), bits(args, kwargs))

    def _is_adapted(self, packed: int) -> bool:
        """Tell whether a quantised weight is the base of an adapter in the trained model that adds something to it."""
        found = [one for one in lora_detection.find(self._model() or {}) if id(one.base.array) == packed]
        factors = [part.array for one in found for part in one.factors]
        return bool(factors) and not lazy_graph.pending(factors) and all(map(lazy_graph.largest, factors))

    def _tell(self, lost: float, error: float, at: str) -> None:
        import statistics  # which few programs come to need

        site = call_site.calling()
        kept = self._kept.setdefault(f"{site}", [])
        kept.append((lost, error))
        self.inspection.recorder.revise(
            Fused(
                weights=len(kept),
                lost=statistics.median(one for one, _ in kept),
                error=statistics.median(one for _, one in kept),
                bits=at,
            ),
            site,
        )


def some(array: Any) -> Any:
    """Take some rows of a weight, whatever is stacked in front of them; a copy, which keeps nothing else alive."""
    import mlx.core as mx

    rows = array.reshape(-1, array.shape[-1])
    step = max(1, rows.shape[0] // ROWS)
    return mx.take(rows, mx.arange(0, rows.shape[0], step)[:ROWS], axis=0)


def size(array: Any) -> float:
    """Return the root of the sum of squares."""
    return math.sqrt(float((array * array).sum()))


def is_low_rank(new: Any, old: Any) -> bool:
    """Tell whether rows differ in few directions, once each has been given the length that it had.

    An adapter's change is so; rounding, and a new scale for each column, are not.
    """
    import mlx.core as mx

    lengths = (new * old).sum(axis=1, keepdims=True) / mx.maximum((old * old).sum(axis=1, keepdims=True), 1e-20)
    change = new - lengths * old
    values = sorted(mx.linalg.eigvalsh(change @ change.T, stream=mx.cpu).tolist(), reverse=True)
    return bool(sum(values[: max(1, len(values) // LOW_RANK)]) > ENERGY * sum(values) > 0)


def bits(args: tuple[Any, ...], kwargs: dict[str, Any]) -> str:
    """Name the width that a weight is quantised to."""
    return str(kwargs.get("bits", args[2] if len(args) > 2 else kwargs.get("mode", 4)))
