"""What a loss is reduced from: each position's own loss, or likelihood, and what comes back for it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from mlxprobe.agent.code import sites
from mlxprobe.agent.looks.budget import is_landmark
from mlxprobe.agent.looks.inspection import Inspection
from mlxprobe.agent.wrapping import typed
from mlxprobe.agent.wrapping.arguments import like
from mlxprobe.agent.wrapping.given import Given

LAST_STEP = 64  # that is looked at: of the same run, the same steps
MOST_TAPS = 64  # of a gradient call: a loss in chunks
MOST_ELEMENTS = 1 << 20


class Tap:
    """A loss for each position (`classes` is 0 where none was chosen by an id), and what came back for it.

    No dataclass: an eager run of a compiled function stops at generated code, whosever it is.
    """

    def __init__(self, classes: int, ids: Any, sign: int) -> None:
        self.classes = classes
        self.sign = sign  # 1 where more is more likely, -1 where it is less; 0 where that is not known
        self.ids = ids
        self.site = sites.calling()
        self.weights: Any = None


class Taps:
    """Lead such values through an identity whose gradient we see: no operation is added to that.

    What comes back is a part of the program's own gradient, and is read once the program has evaluated that.
    """

    def __init__(self, inspection: Inspection) -> None:
        self.inspection = inspection
        self._taps: list[Tap] = []
        self._original: Any = None  # indexing of arrays, while ours is in its place

    def install(self, name: str, module: Any) -> None:
        """Wrap what chooses by ids, and what reduces."""
        if name == "mlx.core":
            module.take_along_axis = self._chosen(module.take_along_axis, 1, "a", "indices", "axis")
            if hasattr(module.fast, "cross_entropy"):
                module.fast.cross_entropy = self._chosen(module.fast.cross_entropy, None, "logits", "targets")
        elif name == "mlx.nn.losses" and hasattr(module, "_reduce"):
            module._reduce = self._reduced(module._reduce)

    def begin(self) -> None:
        """A gradient call begins."""
        import mlx.core as mx

        self.leave()
        self._taps, self._original = [], mx.array.__getitem__
        mx.array.__getitem__ = self._picked(mx.array.__getitem__)

    def leave(self) -> None:
        """Give arrays their own indexing back."""
        import mlx.core as mx

        original, self._original = self._original, None
        if original is not None:
            mx.array.__getitem__ = original

    def taken(self) -> list[Tap]:
        """Return the taps of the gradient call that has ended, those that something came back for."""
        self.leave()
        taps, self._taps = [one for one in self._taps if one.weights is not None], []
        return taps

    def _picked(self, original: Callable[..., Any]) -> Callable[..., Any]:
        """Tap what rows and ids choose: `values[rows, ids]`."""

        def __getitem__(values: Any, places: Any) -> Any:  # noqa: N807
            result = original(values, places)
            pairs = typed.is_a(places, tuple) and len(places) == values.ndim > 1 and is_ids(places[-1])
            if pairs and all(map(is_ids, places)) and self._listens(result):
                return self._tapped(result, values.shape[-1], places[-1], 1)
            return result

        return __getitem__

    def _chosen(self, original: Callable[..., Any], along: int | None, *names: str) -> Callable[..., Any]:
        """Tap what ids choose: one of the values `along` an axis, or of those on the last."""
        given = Given(original, *names)

        @like(original)
        def choose(*args: Any, **kwargs: Any) -> Any:
            result = original(*args, **kwargs)
            if not self._listens(result):
                return result
            values, ids, *rest = given(args, kwargs)
            axis = -1 if not rest or (len(args) <= 2 and "axis" not in kwargs) else rest[0]
            if not isinstance(axis, int):
                return result
            one_each = along is None or ids.shape[axis] == along
            return self._tapped(result, values.shape[axis], ids, 1 if along else -1) if one_each else result

        return choose

    def _reduced(self, original: Callable[..., Any]) -> Callable[..., Any]:
        given = Given(original, "loss")

        @like(original)
        def reduce(*args: Any, **kwargs: Any) -> Any:
            (loss,) = given(args, kwargs)
            if not self._listens(loss):
                return original(*args, **kwargs)
            return given.call(original, args, kwargs, self._tapped(loss, 0, None, 0))

        return reduce

    def _listens(self, values: Any) -> bool:
        seen = self.inspection
        in_gradients = seen.due and seen.nesting.depth > 0 and not (seen.tracing or seen.nesting.replay)
        if not (in_gradients and not seen.busy and len(self._taps) < MOST_TAPS and seen.home.here()):
            return False
        step = seen.recorder.step + 1
        return is_landmark(step) and step <= LAST_STEP and 1 < values.size <= MOST_ELEMENTS and _is_float(values)

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

    return typed.is_a(one, mx.array) and bool(mx.issubdtype(one.dtype, mx.integer))


def _is_float(array: Any) -> bool:
    import mlx.core as mx

    return typed.is_a(array, mx.array) and bool(mx.issubdtype(array.dtype, mx.floating))
