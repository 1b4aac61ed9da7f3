"""How many arrays with data of their own are alive: each is a buffer, and on Metal MLX holds no more than so many."""

from __future__ import annotations

import gc
import operator
from typing import Any

from mlxprobe.agent import graph
from mlxprobe.agent.inspection import UPDATE, Inspection, Inspector
from mlxprobe.agent.kept import LIVING, Kept, sources

LIMIT = 499_000  # MLX's own, where the system names no other
MANY_STEPS = 32
FEW = 4.0  # more a step: less takes longer than runs last
STEADY = 0.8
SPARSE = 1.25
PENDING = 100  # operations
HALF = 0.5


class Buffers(Inspector):
    """Follow what the program keeps, what the traces of its compiled functions keep, and what its pending graph does.

    Each by what it grows at in the later half of the steps, which counts where it did so in the quarter before too.
    """

    def __init__(self, inspection: Inspection) -> None:
        super().__init__(inspection)
        self._growths = {"kept": Growth(), "traced": Growth(), "pending": Growth()}
        self._told = False

    def look(self, step: int) -> None:
        self._growths["kept"].mark(step, alive())
        self._pend(step)
        self._tell(step)

    def finish(self) -> None:
        self._tell(self.inspection.recorder.step)

    def _pend(self, step: int) -> None:
        """Count what waits in the graph of parameters and state."""
        looks, operations = self.inspection.looks, self.inspection.looked.get(UPDATE)
        if operations is None:
            return
        found, what = 0, type(self).__name__
        if operations >= PENDING:
            if not looks.affords(what, step, self.inspection.recorder.lazy_steps):
                return
            found = sources(graph.leaves(self.inspection.recorder.live_trees()))
            looks.drawn(what, step, operations)
        self._growths["pending"].mark(step, found)

    def _tell(self, step: int) -> None:
        functions = sorted(LIVING, key=lambda one: one.arrays)
        self._growths["traced"].mark(step, sum(one.arrays for one in functions))
        per_step = {f"{name}_per_step": one.per_step for name, one in self._growths.items()}
        if step < MANY_STEPS or (sum(per_step.values()) < FEW and not self._told):
            return
        self._told = True
        traced = per_step["traced_per_step"] > HALF * sum(per_step.values())
        recorder, limit = self.inspection.recorder, limit_of_metal()
        recorder.revise(
            "buffers",
            functions[-1].traces.site if functions and traced else recorder.update_site,
            **{name: one.by(step) for name, one in self._growths.items()},
            **per_step,
            per_trace=functions[-1].per_trace if functions else 0,
            most_traced=most(functions),
            limit=limit or LIMIT,
            metal=bool(limit),
        )


class Growth:
    """A count at some of the steps, ever fewer."""

    def __init__(self) -> None:
        self._marks: list[tuple[int, int]] = []

    def mark(self, step: int, count: int) -> None:
        """Take in a count; of marks close to each other the later stays."""
        marks = self._marks
        if marks and (marks[-1][0] in (step, 0) or (len(marks) > 1 and marks[-1][0] < SPARSE * marks[-2][0])):
            marks.pop()
        marks.append((step, count))

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


def alive() -> int:
    """Count the arrays that Python keeps, wherever they are."""
    import mlx.core as mx

    return operator.countOf(map(type, gc.get_objects()), mx.array)


def most(functions: list[Kept]) -> int:
    """Return how many arrays the traces can come to keep, of lengths like those seen; 0 where nothing bounds them."""
    rooms = [(one.per_trace, one.traces.room) for one in functions if one.per_trace]
    return sum(each * room for each, room in rooms) if all(room for _, room in rooms) else 0


def limit_of_metal() -> int:
    """Return how many buffers MLX allows on this machine's Metal; 0 where there is none."""
    import mlx.core as mx

    told: Any = getattr(mx, "device_info", dict)()
    return int(told.get("resource_limit", 0))
