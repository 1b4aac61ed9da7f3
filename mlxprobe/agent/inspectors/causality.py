"""Whether a next-token model sees the future: one early probe with a later input changed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from mlxprobe.agent import graph
from mlxprobe.agent.call import Call
from mlxprobe.agent.inspection import Inspection, Inspector
from mlxprobe.agent.trees import Saved, SavedKey, is_array

ROWS = 2  # of the batch: the probe costs two forward passes over them
DEEPEST = 2  # modules below the one that is trained
LEAK = 1e-3  # of the change that the changed position itself shows
TRIES = 3  # gradient calls
CALLS = 4


class Causality(Inspector):
    """Take one call of the model from a gradient call, make it twice more, and compare the earlier outputs.

    The model's state and the random state are put back, so that the program's own numbers stay bit-equal.
    """

    shadows = True

    def __init__(self, inspection: Inspection) -> None:
        super().__init__(inspection)
        self._tries = 0
        self._patched: list[tuple[type, Any]] = []
        self._calls: list[tuple[Any, tuple[Any, ...], dict[str, Any], tuple[int, ...]]] = []
        self._site = ("", 0)

    def called(self, call: Call) -> None:
        """Let the next gradient call of a model show how it calls it."""
        self._let_go()
        if call.model is not None and self._tries < TRIES:
            self._tries += 1
            self._site = call.site
            self._listen(call.model)

    def forget(self) -> None:
        self._calls = []

    def look(self, step: int) -> None:
        """Probe once all that the program evaluates is."""
        calls = self._calls
        self.forget()
        for module, args, kwargs, shape in calls:
            if (leaks := probed(self.inspection, module, args, kwargs, shape)) is not None:
                self._tries = TRIES
                self.inspection.recorder.fact("causality", self._site, leaks=leaks, model=type(module).__name__)
                return

    def finish(self) -> None:
        self._let_go()

    def _listen(self, model: Any) -> None:
        """Wrap the classes of the model and of what lies right below it, for one gradient call."""
        kinds = dict.fromkeys(type(one) for path, one in model.named_modules() if path.count(".") < DEEPEST)
        for kind in kinds:
            if not kind.__module__.startswith("mlx.") and "__call__" in vars(kind):
                original = vars(kind)["__call__"]
                setattr(kind, "__call__", self._wrapped(original))  # noqa: B010
                self._patched.append((kind, original))

    def _wrapped(self, original: Callable[..., Any]) -> Callable[..., Any]:
        def __call__(module: Any, *args: Any, **kwargs: Any) -> Any:  # noqa: N807
            output = original(module, *args, **kwargs)
            shape = shape_of(output)
            listens = not self.inspection.busy and not self.inspection.tracing and len(self._calls) < CALLS
            if listens and any(is_ids(one, shape) for one in args):
                self._calls.append((module, args, kwargs, shape))
            return output

        return __call__

    def _let_go(self) -> None:
        for kind, original in self._patched:
            setattr(kind, "__call__", original)  # noqa: B010
        self._patched.clear()


def shape_of(output: Any) -> tuple[int, ...]:
    """Return the shape of the first output of shape (N, L, V); empty where there is none."""
    parts = output if isinstance(output, (tuple, list)) else [output]
    return next((tuple(one.shape) for one in parts if getattr(one, "ndim", 0) == 3), ())


def probed(
    inspection: Inspection, module: Any, args: tuple[Any, ...], kwargs: dict[str, Any], shape: tuple[int, ...]
) -> bool | None:
    """Tell whether earlier outputs change with a later id; None where this call cannot tell."""
    place = next((k for k, one in enumerate(args) if is_ids(one, shape)), None)
    others = [*args, *kwargs.values()]
    if place is None or not all(one is None or isinstance(one, (int, float, str)) or is_array(one) for one in others):
        return None  # a cache, or another object, could keep what we do
    if inspection.pending(graph.leaves([module, *others])):
        return None
    args, kwargs = tuple(cut(one, shape) for one in args), {name: cut(one, shape) for name, one in kwargs.items()}
    ids, at = changed(args[place])
    if ids is None:
        return None
    with put_back(module) as restart:
        before = first_output(module(*args, **kwargs))
        restart()
        after = first_output(module(*args[:place], ids, *args[place + 1 :], **kwargs))
        early, late = largest_change(before[:, :at], after[:, :at]), largest_change(before[:, at:], after[:, at:])
    return early > LEAK * late if late > 0 else None


def is_ids(one: Any, shape: tuple[int, ...]) -> bool:
    """Tell whether an array holds one id for each position of an output of shape (N, L, V)."""
    import mlx.core as mx

    return is_array(one) and len(shape) == 3 and one.shape == shape[:2] and mx.issubdtype(one.dtype, mx.integer)


def cut(one: Any, shape: tuple[int, ...]) -> Any:
    """Take the first rows of an array that has one for each of the batch; (L, L) masks stay whole."""
    rows = is_array(one) and one.ndim and one.shape[0] == shape[0] and one.shape != (shape[1], shape[1])
    return one[:ROWS] if rows else one


def changed(ids: Any) -> tuple[Any, int]:
    """Put another id of each row in its last place; None where a row has but one, or ends in padding."""
    import mlx.core as mx

    rows = graph.numbers(ids)
    length = ids.shape[1]
    lines = [[int(one) for one in rows[k * length : (k + 1) * length]] for k in range(ids.shape[0])]
    if length < 3 or any(line[-1] == line[-2] or len(set(line)) < 2 for line in lines):
        return None, 0
    other = [next(one for one in line if one != line[-1]) for line in lines]
    return mx.array([[*line[:-1], one] for line, one in zip(lines, other, strict=True)], ids.dtype), length - 1


def first_output(output: Any) -> Any:
    """Return the first output of shape (N, L, V)."""
    parts = output if isinstance(output, (tuple, list)) else [output]
    return next(one for one in parts if getattr(one, "ndim", 0) == 3)


def largest_change(before: Any, after: Any) -> float:
    """Return the largest absolute difference of two arrays."""
    return graph.largest(before - after)


@contextmanager
def put_back(module: Any) -> Iterator[Callable[[], None]]:
    """Leave a module and the random state as they were; what is given starts both again."""
    saved, key = Saved(module), SavedKey()

    def restart() -> None:
        saved.put_back()
        key.put_back()

    try:
        yield restart
    finally:
        restart()
