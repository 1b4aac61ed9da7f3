"""How many arrays with data of their own the traces of a compiled function keep, for as long as the function lives."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Any

from mlxprobe.agent.compiled.retracing import Traces
from mlxprobe.agent.graph import lazy_graph
from mlxprobe.agent.patching import static
from mlxprobe.agent.sampling.overhead_budget import is_landmark
from mlxprobe.agent.wire import bound

FORMS = 4096  # of arguments that are remembered
PARTS = 16
MOST_DRAWN = 10_000  # operations
STEADY = 0.8
SPARSE = 1.25
HALF = 0.5


class Kept:
    """Count what a trace has brought along: numbers and tables, each an array, the same number once.

    MLX puts all of a trace but its inputs into what a call returns: before that is evaluated, the graph behind it shows
    those arrays as leaves. What is counted of some traces is taken to hold for those between.
    """

    def __init__(self, traces: Traces, owner: object) -> None:
        self.traces = traces
        self._owner = bound.ref(owner)
        self.per_trace = self.times = 0
        self.arrays = 0
        self.is_new = True  # whether the call under way is for arguments of other shapes than all before
        self._forms: set[int] = set()
        KNOWN.append(self)

    @property
    def lives(self) -> bool:
        """Whether the function does: what its traces keep goes with it."""
        return self._owner() is not None

    def calling(
        self, step: int, captured: Any, models: list[Callable[[], Any]], args: Any, kwargs: Any
    ) -> list[Any] | None:
        """The function is called: return the arrays that a trace only refers to, where this looks like one to count.

        They are what it is given, what it has captured, and what its models have.
        """
        TRACED.until = step
        form = hash((outline(args), outline(tuple(kwargs.items())) if kwargs else ()))
        self.is_new = form not in self._forms
        if not self.is_new or len(self._forms) >= FORMS:
            return None
        self._forms.add(form)
        if not is_landmark(self.times + 1):
            return None
        return lazy_graph.leaves([args, kwargs, captured, [model() for model in models]])

    def traced(self, before: list[Any] | None, returned: Any, operations: int, step: int) -> None:
        """The call was traced, and nothing of it is evaluated yet: hold it against what was there `before`."""
        self.times += 1
        if before is not None and operations <= MOST_DRAWN:
            self.per_trace = sources([*before, *lazy_graph.leaves(returned)]) - sources(before)
        self.arrays += self.per_trace
        TRACED.mark(step, alive())


class Growth:
    """A count at some of the steps, ever fewer."""

    def __init__(self) -> None:
        self._marks: list[tuple[int, int]] = []
        self.until = 0  # so far the last count holds, as somebody knows

    def mark(self, step: int, count: int) -> None:
        """Take in a count; of marks close to each other the later stays."""
        marks = self._marks
        if marks and (marks[-1][0] in (step, 0) or (len(marks) > 1 and marks[-1][0] < SPARSE * marks[-2][0])):
            marks.pop()
        marks.append((step, count))

    def ends(self, step: int, count: int) -> None:
        """Take in the count at the end of the program, unless what was counted has gone with its frames."""
        if self._marks and count >= self._marks[-1][1]:
            self.mark(step, count)

    def holds(self) -> None:
        """Nothing more is known than that the last count still held."""
        if self._marks:
            self.mark(max(self.until, self._marks[-1][0]), self._marks[-1][1])

    def by(self, step: int) -> int:
        """Return the count at a step, as the last one and the growth since have it."""
        last, count = self._marks[-1] if self._marks else (step, 0)
        return round(count + self.per_step * (step - last))

    @property
    def per_step(self) -> float:
        """By how much it grew per step in the later half; 0 where it did not do so before, or no longer does."""
        last = self._marks[-1] if self._marks else (0, 0)
        half = self._before(last[0])
        quarter = self._before(half[0]) if half else None
        if half is None or quarter is None:
            return 0.0
        late, early = ((b[1] - a[1]) / (b[0] - a[0]) for a, b in ((half, last), (quarter, half)))
        return late if late >= STEADY * early > 0 else 0.0

    def _before(self, step: int) -> tuple[int, int] | None:
        return next((mark for mark in reversed(self._marks) if 0 < mark[0] <= HALF * step), None)


KNOWN: deque[Kept] = deque(maxlen=FORMS)
TRACED = Growth()  # of what all traces keep


def alive() -> int:
    """Count the arrays that traces keep now."""
    return sum(one.arrays for one in KNOWN if one.lives)


def sources(arrays: list[Any]) -> int:
    """Count the arrays with data of their own behind some arrays, themselves included."""
    return lazy_graph.sources(lazy_graph.drawn(arrays)) if arrays else 0


def outline(values: Any) -> tuple[Any, ...]:
    """Tell calls apart by the shapes of their arguments, and of what lies directly in them; some microseconds."""
    return tuple([_form(one, 1) for one in values[:PARTS]])


def _form(value: Any, depth: int) -> Any:
    if static.is_array(value) or static.is_numpy(value):
        return tuple(value.shape)
    kind = type(value)
    if issubclass(kind, (dict, list, tuple)):
        return tuple([_form(one, depth - 1) for one in static.children(value)[:PARTS]]) if depth else static.size(value)
    return value if issubclass(kind, (int, float, str)) else kind
