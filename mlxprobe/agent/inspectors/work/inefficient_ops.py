"""The operations of a step, one by one: results larger than operands, lifted types, single elements, and how many.

The operators of `mx.array` are wrapped from the beginning of a gradient call that is looked at to the end of its step.
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Callable
from types import CodeType
from typing import Any

from mlxprobe.agent.graph import lazy_graph
from mlxprobe.agent.inspectors.work.unrolled_loops import Unrolled, depends
from mlxprobe.agent.introspection import call_site
from mlxprobe.agent.patching import static
from mlxprobe.agent.patching.bound_arguments import Given
from mlxprobe.agent.patching.signatures import like
from mlxprobe.agent.patching.temporary_patches import Loans
from mlxprobe.agent.recording.gradient_call import Call
from mlxprobe.agent.sampling.dispatcher import Inspection
from mlxprobe.agent.sampling.inspector import Inspector
from mlxprobe.agent.wire import bound
from mlxprobe.protocol.facts.data import BytesWrapAround
from mlxprobe.protocol.facts.work import EvaluatedWithin, HugeGraph, LossBroadcast, Piecemeal, Promoted

MOST = 4  # differences that are looked at
MOST_BYTES = 1 << 22
LEAST_ROWS, MATRIX = 0.01, 2  # share of the elements; axes
MINUS = "__sub__"
BINARY = ("__add__", "__radd__", "__rsub__", "__mul__", "__rmul__", "__truediv__", "__rtruediv__")
SINGLE = ("__getitem__", "__iter__", "item", "__float__", "__int__")
WRITE = "__setitem__"
PAIR = 2  # `values[:, ids]`
HITS = 4  # results to be looked at behind
LEAST = 4  # of the axis that comes twice: small ones may be equal by chance
MANY = 1000  # single elements at one line
MANY_SET = 500  # of those that one function sets, at more than one look: a mask may be built once
PART = 8  # of an array, by which a row is told from a slice of most of it
LOOKS = 2


class Operations(Inspector):
    """Look at operators while the program uses them."""

    emits = (LossBroadcast, BytesWrapAround, EvaluatedWithin, HugeGraph, Piecemeal, Promoted)
    builds_on = ("Losses",)

    def __init__(self, inspection: Inspection) -> None:
        super().__init__(inspection)
        self._loans = Loans()
        self._inside = False
        self._blown: list[tuple[Any, Any, Any, tuple[str, int]]] = []
        self._lifted: tuple[str, int] | None = None
        self._linear: tuple[tuple[str, int], str] | None = None
        self._singles: dict[tuple[CodeType, int], set[Any]] = {}  # which elements, by line
        self._sets: dict[tuple[CodeType, int], Counter[int]] = {}  # by line, with what has been evaluated before
        self._set_looks = 0
        self._unrolled, self._wraps = Unrolled(inspection), Wraps(inspection)

    def calling(self) -> None:
        """Wrap the operators."""
        self._unrolled.begin()
        if self._loans.names:
            self._inside = True
            return
        self._wrap_all(BINARY, self._binary)
        self._wrap_all((MINUS,), lambda one: self._binary(self._wraps.minus(one)))
        self._wrap_all(SINGLE, self._single)
        self._wrap(sys.modules["mlx.core"], "take", self._taken)
        self._wrap(sys.modules["mlx.core"], "eval", lambda one: self._unrolled.evaluation(one, self._listens))
        layers = sys.modules.get("mlx.nn.layers.linear")
        if layers is not None:
            self._wrap(layers.Linear, "__call__", self._product)
        self._inside = True

    calling_in_trace = calling

    def called(self, call: Call) -> None:
        """Tell of what the gradient call did."""
        self._inside = False
        self._listen_outside()
        self._unrolled.weigh(call)
        self._tell_types(call)

    def given(self, args: Any) -> None:
        if not self._loans.names:
            self._wrap_all(SINGLE, self._single)
            self._listen_outside()

    def called_in_trace(self, call: Call) -> None:
        """Tell of types and shapes, which are what they are at every call; elements are taken at this one alone."""
        self._inside = False
        self._singles.clear()
        self._sets.clear()
        self._tell_types(call)
        self._loans.give_back()

    def _tell_types(self, call: Call) -> None:
        blown, self._blown = self._blown, []
        parameters = lazy_graph.leaves(call.model.trainable_parameters()) if call.model is not None else []
        if self.inspection.recorder.lazy_steps > 1:
            blown = []  # the graph behind an operand would hold every step that was never evaluated
        for a, b, result, site in blown:
            if any(depends(one, parameters) for one in (a, b)):
                shapes = tuple(str(tuple(one.shape)) for one in (a, b, result))
                crossed = b.ndim == 1 and is_crossed(a, b)
                factor = result.size / max(a.size, b.size)
                self.inspection.recorder.fact(LossBroadcast(shapes=shapes, factor=factor, crossed=crossed), site)
        if self._linear is not None:
            site, weight = self._linear
            self.inspection.recorder.fact(Promoted(weight=weight, by_operator=bool(self._lifted)), self._lifted or site)
        self._linear = self._lifted = None

    def look(self, step: int) -> None:
        """Give the operators back."""
        self._unrolled.tell()
        self._loans.give_back()
        singles, self._singles = self._singles, {}
        for (code, line), taken in sorted(singles.items(), key=lambda one: -len(one[1]))[:1]:
            if (count := len(taken)) >= MANY and call_site.is_users(code.co_filename):
                self.inspection.recorder.fact(Piecemeal(operations=count, set=False), (code.co_filename, line))
        written, self._sets = self._sets, {}
        for (code, _), lines in sorted(written.items(), key=lambda one: -one[1].total())[:1]:
            if lines.total() >= MANY_SET and call_site.is_users(code.co_filename):
                self._set_looks += 1
                if self._set_looks == LOOKS:
                    place = code.co_filename, lines.most_common(1)[0][0]
                    self.inspection.recorder.fact(Piecemeal(operations=lines.total(), set=True), place)

    def finish(self) -> None:
        self.look(0)

    def _wrap_all(self, names: tuple[str, ...], wrapped: Callable[[Any], Any]) -> None:
        import mlx.core as mx

        for name in names:
            self._wrap(mx.array, name, wrapped)

    def _listen_outside(self) -> None:
        """Wrap what writes, up to the end of the step: within a gradient call `Writes` may do so."""
        if WRITE not in self._loans.names:
            self._wrap_all((WRITE,), self._written)

    def _wrap(self, owner: Any, name: str, wrapped: Callable[[Any], Any]) -> None:
        if hasattr(owner, name):
            self._loans.replace(owner, name, lambda original: like(original)(wrapped(original)))

    def _listens(self) -> bool:
        return self._inside and not self.inspection.busy

    def _binary(self, original: Callable[[Any, Any], Any]) -> Callable[[Any, Any], Any]:
        def operator(a: Any, b: Any) -> Any:
            result = original(a, b)
            if not self._listens():
                return result
            with self.inspection.recorder.carefully():
                if not self.inspection.nesting.recomputed:
                    self._unrolled.describe(bound.frame(1).f_code)
                self._combined(a, b, result)
            return result

        return operator

    def _combined(self, a: Any, b: Any, result: Any) -> None:
        if static.is_array(b):
            if a.ndim != b.ndim and is_blown(a.shape, b.shape) and len(self._blown) < HITS:
                self._blown.append((a, b, result, call_site.calling()))
            elif a.dtype != b.dtype and self._lifted is None and is_lifted(a, b, result):
                self._lifted = call_site.calling()

    def _product(self, original: Callable[..., Any]) -> Callable[..., Any]:
        given = Given(original, "x")

        def __call__(layer: Any, *args: Any, **kwargs: Any) -> Any:  # noqa: N807
            if self._inside and self._linear is None:
                with self.inspection.recorder.carefully():
                    (x,) = given((layer, *args), kwargs)
                    if "16" in str(layer.weight.dtype) and static.is_array(x) and "32" in str(x.dtype):
                        self._linear = call_site.calling(), str(layer.weight.dtype).rpartition(".")[2]
            return original(layer, *args, **kwargs)

        return __call__

    def _single(self, original: Callable[..., Any]) -> Callable[..., Any]:
        def single(array: Any, *args: Any, **kwargs: Any) -> Any:
            result, frame = original(array, *args, **kwargs), bound.frame(1)
            with self.inspection.recorder.carefully():
                if self._inside:
                    self._unrolled.take(array, result)
                    key = args[0] if args and type(args[0]) is tuple and len(args[0]) == PAIR else ()
                    if key and type(key[0]) is slice and key[0] == slice(None):
                        self._cross(array, key[1], result)
                if not self.inspection.busy and static.count(result) * PART <= array.size:
                    taken = self._singles.setdefault((frame.f_code, frame.f_lineno), set())
                    taken.add(which(args, len(taken)) if args else len(taken))
            return result

        return single

    def _taken(self, original: Callable[..., Any]) -> Callable[..., Any]:
        given = Given(original, "a", "indices", "axis")

        def take(*args: Any, **kwargs: Any) -> Any:
            result = original(*args, **kwargs)
            with self.inspection.recorder.carefully():
                array, ids, axis = given(args, kwargs)
                if axis in (1, -1) and self._listens():
                    self._cross(array, ids, result)
            return result

        return take

    def _cross(self, array: Any, ids: Any, result: Any) -> None:
        """Hold what is taken along the last axis by ids that may be meant for a row each."""
        if len(self._blown) < HITS and is_crossed(array, ids) and self._listens():
            self._blown.append((array, ids, result, call_site.calling()))

    def _written(self, original: Callable[..., Any]) -> Callable[..., Any]:
        """Count elements that are set one by one, with no evaluation between: a rollout waits for its environment."""
        recorder = self.inspection.recorder

        def write(array: Any, key: Any, value: Any) -> Any:
            frame = bound.frame(1)
            with recorder.carefully():
                places = key if static.is_a(key, tuple) else (key,)
                if not self.inspection.busy and len(places) == array.ndim and all(type(one) is int for one in places):
                    self._sets.setdefault((frame.f_code, recorder.evaluations), Counter())[frame.f_lineno] += 1
            return original(array, key, value)

        return write


def which(key: Any, known: int) -> Any:
    """Name the element that a key takes: the first of another array each time is one alone; an array is always new."""
    if static.is_a(key, tuple):
        return tuple(which(one, known) for one in key)
    return repr(key) if key is None or key is Ellipsis or static.is_a(key, (int, slice)) else known


def is_blown(first: Any, second: Any) -> bool:
    """Tell whether a broadcast is larger than its operands because one axis meets itself: (N, H) with (N, 1, H)."""
    small, large = sorted((tuple(first), tuple(second)), key=len)
    missing = len(large) - len(small)
    for k, length in enumerate(small):
        if length >= LEAST and large[k + missing] == 1:
            return any(large[j] == length and (j < missing or small[j - missing] == 1) for j in range(k + missing))
    return False


def is_crossed(array: Any, ids: Any) -> bool:
    """Tell whether each row is asked for the ids of all rows, of which some are the same."""
    import mlx.core as mx

    fits = array.ndim == PAIR and static.shape(ids) == array.shape[:1]
    return fits and LEAST <= array.shape[1] < ids.size and bool(mx.issubdtype(ids.dtype, mx.integer))


def is_lifted(a: Any, b: Any, result: Any) -> bool:
    """Tell whether a float32 operand lifts a half-precision one."""
    kinds = {str(a.dtype), str(b.dtype)}
    return str(result.dtype).endswith("float32") and any(kind.endswith("float16") for kind in kinds)


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
        if LEAST_ROWS < share < 1:
            self._inspection.recorder.fact(BytesWrapAround(share=share), call_site.calling())


def is_bytes(one: Any) -> bool:
    """Tell whether something is an array of unsigned bytes, of more than one axis."""
    return static.is_data(one) and str(one.dtype).endswith("uint8") and one.ndim >= MATRIX
