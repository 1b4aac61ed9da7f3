"""How many arrays with data of their own the traces of a compiled function keep, for as long as the function lives."""

from __future__ import annotations

import weakref
from collections.abc import Callable
from typing import Any

from mlxprobe.agent import graph
from mlxprobe.agent.looks import is_landmark
from mlxprobe.agent.traces import Traces

FORMS = 4096  # of arguments that are remembered
PARTS = 16
MOST_DRAWN = 10_000  # operations


class Kept:
    """Count what a trace has brought along: numbers and tables, each an array, the same number once.

    MLX puts all of a trace but its inputs into what a call returns: before that is evaluated, the graph behind it shows
    those arrays as leaves. What is counted of some traces is taken to hold for those between.
    """

    def __init__(self, traces: Traces) -> None:
        self.traces = traces
        self.per_trace = self.times = 0
        self.arrays = 0
        self._forms: set[int] = set()
        LIVING.add(self)

    def calling(self, captured: Any, models: list[Callable[[], Any]], args: Any, kwargs: Any) -> list[Any] | None:
        """The function is called: return the arrays that a trace only refers to, where this looks like one to count.

        They are what it is given, what it has captured, and what its models have.
        """
        form = hash((outline(args), outline(tuple(kwargs.items()))))
        if form in self._forms or len(self._forms) >= FORMS:
            return None
        self._forms.add(form)
        if not is_landmark(self.times + 1):
            return None
        return graph.leaves([args, kwargs, captured, [model() for model in models]])

    def traced(self, before: list[Any] | None, returned: Any, operations: int) -> None:
        """The call was traced, and nothing of it is evaluated yet: hold it against what was there `before`."""
        self.times += 1
        if before is not None and operations <= MOST_DRAWN:
            self.per_trace = sources([*before, *graph.leaves(returned)]) - sources(before)
        self.arrays += self.per_trace


LIVING: weakref.WeakSet[Kept] = weakref.WeakSet()


def sources(arrays: list[Any]) -> int:
    """Count the arrays with data of their own behind some arrays, themselves included."""
    return graph.drawn(arrays).count("rank=source") if arrays else 0


def outline(values: Any) -> tuple[Any, ...]:
    """Tell calls apart by the shapes of their arguments, and of what lies directly in them; some microseconds."""
    return tuple(_form(one, 1) for one in values[:PARTS])


def _form(value: Any, depth: int) -> Any:
    if isinstance(value, dict):
        value = tuple(value.values())
    if isinstance(value, (list, tuple)):
        return tuple(_form(one, depth - 1) for one in value[:PARTS]) if depth else len(value)
    shape = getattr(value, "shape", None)
    return shape if isinstance(shape, tuple) else value if isinstance(value, (int, float, str)) else type(value)
