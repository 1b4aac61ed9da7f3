"""What a loss is reduced from: each position's own loss, or likelihood, and what comes back for it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from mlxprobe.agent.intercept.events import CallEvent
from mlxprobe.agent.intercept.intercepts import Observe
from mlxprobe.agent.intercept.states import GRADIENT, OURS, REPLAY, SAMPLED, TRACE
from mlxprobe.agent.introspection import call_site
from mlxprobe.agent.patching import static
from mlxprobe.agent.patching.temporary_patches import Loans
from mlxprobe.agent.sampling.dispatcher import Inspection
from mlxprobe.agent.sampling.overhead_budget import is_landmark

LAST_STEP = 64  # that is looked at: of the same run, the same steps
MOST_TAPS = 64  # of a gradient call: a loss in chunks
MOST_ELEMENTS = 1 << 20
NEEDS, NEVER = SAMPLED | GRADIENT, TRACE | REPLAY | OURS


class Tap:
    """A loss for each position (`classes` is 0 where none was chosen by an id), and what came back for it.

    No dataclass: an eager run of a compiled function stops at generated code, whosever it is.
    """

    def __init__(self, classes: int, ids: Any, sign: int) -> None:
        self.classes = classes
        self.sign = sign  # 1 where more is more likely, -1 where it is less; 0 where that is not known
        self.ids = ids
        self.site = call_site.calling()
        self.weights: Any = None


class Taps:
    """Lead such values through an identity whose gradient we see: no operation is added to that.

    What comes back is a part of the program's own gradient, and is read once the program has evaluated that.
    """

    observes = (
        Observe("mlx.core.take_along_axis", "_chosen_along", after=True, needs=NEEDS, never=NEVER),
        Observe("mlx.core.fast.cross_entropy", "_compared", after=True, needs=NEEDS, never=NEVER),
        Observe("mlx.nn.losses._reduce", "_reduced", needs=NEEDS, never=NEVER),
    )

    def __init__(self, inspection: Inspection) -> None:
        self.inspection = inspection
        self._taps: list[Tap] = []
        self._loans = Loans()

    def begin(self) -> None:
        """A gradient call begins."""
        import mlx.core as mx

        self.leave()
        self._taps = []
        self._loans.replace(mx.array, "__getitem__", self._picked)

    def leave(self) -> None:
        """Give arrays their own indexing back."""
        self._loans.give_back()

    def taken(self) -> list[Tap]:
        """Return the taps of the gradient call that has ended, those that something came back for."""
        self.leave()
        taps, self._taps = [one for one in self._taps if one.weights is not None], []
        return taps

    def _picked(self, original: Callable[..., Any]) -> Callable[..., Any]:
        """Tap what rows and ids choose: `values[rows, ids]`."""

        def __getitem__(values: Any, places: Any) -> Any:  # noqa: N807
            result = original(values, places)
            with self.inspection.recorder.carefully():
                return self._by_ids(result, values, places)
            return result

        return __getitem__

    def _by_ids(self, result: Any, values: Any, places: Any) -> Any:
        pairs = static.is_a(places, tuple) and len(places) == values.ndim > 1 and is_ids(places[-1])
        now = self.inspection.state()
        listens = now & NEEDS == NEEDS and not now & NEVER
        if pairs and listens and all(map(is_ids, places)) and self._takes(result):
            return self._tapped(result, values.shape[-1], places[-1], 1)
        return result

    def _chosen_along(self, event: CallEvent) -> None:
        """Tap what ids choose of the values along an axis, one at each place."""
        values, ids, axis = event["a"], event["indices"], event["axis"]
        if axis is None and "axis" not in event:
            axis = -1
        if isinstance(axis, int) and self._takes(event.result) and ids.shape[axis] == 1:
            event.result = self._tapped(event.result, values.shape[axis], ids, 1)

    def _compared(self, event: CallEvent) -> None:
        """Tap a loss whose ids choose among the values on the last axis."""
        if self._takes(event.result):
            event.result = self._tapped(event.result, event["logits"].shape[-1], event["targets"], -1)

    def _reduced(self, event: CallEvent) -> None:
        if self._takes(event["loss"]):
            event.replace("loss", self._tapped(event["loss"], 0, None, 0))

    def _takes(self, values: Any) -> bool:
        seen = self.inspection
        if len(self._taps) >= MOST_TAPS or not seen.home.here():
            return False
        step = seen.recorder.step + 1
        return is_landmark(step) and step <= LAST_STEP and _is_float(values) and 1 < values.size <= MOST_ELEMENTS

    def _tapped(self, values: Any, classes: int, ids: Any, sign: int) -> Any:
        import mlx.core as mx

        tap = Tap(classes, ids, sign)
        same = mx.custom_function(lambda one: one)

        @same.vjp  # type: ignore[untyped-decorator]
        def back(_: Any, cotangent: Any, __: Any) -> Any:
            tap.weights = cotangent
            return cotangent

        self._taps.append(tap)
        return same(values)


def is_ids(one: Any) -> bool:
    """Tell whether an index is an array of ids."""
    import mlx.core as mx

    return static.is_a(one, mx.array) and bool(mx.issubdtype(one.dtype, mx.integer))


def _is_float(array: Any) -> bool:
    import mlx.core as mx

    return static.is_a(array, mx.array) and bool(mx.issubdtype(array.dtype, mx.floating))
