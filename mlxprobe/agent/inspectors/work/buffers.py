"""How many arrays with data of their own are alive: each is a buffer, and on Metal MLX holds no more than so many."""

from __future__ import annotations

import gc
import operator
from typing import Any

from mlxprobe.agent.compiled import trace_memory
from mlxprobe.agent.compiled.trace_memory import HALF, KNOWN, TRACED, Growth, Kept
from mlxprobe.agent.sampling.dispatcher import Inspection
from mlxprobe.agent.sampling.inspector import Inspector
from mlxprobe.agent.wire import bound
from mlxprobe.protocol.facts.memory import BuffersHeld

LIMIT = 499_000  # MLX's own, where the system names no other
MANY_STEPS, EARLY = 32, {4, 8, 16}  # what is told grows over its later half, and did so over the quarter before
FEW = 4.0  # more a step: less takes longer than runs last
PENDING = 100  # operations


class Buffers(Inspector):
    """Follow what the program keeps, what the traces of its compiled functions keep, and what its pending graph does.

    Each by what it grows at in the later half of the steps, which counts where it did so in the quarter before too.
    """

    emits = (BuffersHeld,)

    def __init__(self, inspection: Inspection) -> None:
        super().__init__(inspection)
        self._growths = {"kept": Growth(), "traced": TRACED, "pending": Growth()}
        self._told = False
        self._counted_s = 0.0  # what the last count of all that Python keeps took: it has millions of objects at times

    def look(self, step: int) -> None:
        counts = step >= MANY_STEPS or step in EARLY
        if counts and self.inspection.looks.spares(self._counted_s):
            began_s = bound.thread_time()
            self._growths["kept"].mark(step, alive())
            self._counted_s = bound.thread_time() - began_s
        self._pend(step)
        TRACED.mark(step, trace_memory.alive())
        self._tell(step)

    def finish(self) -> None:
        step = self.inspection.recorder.step
        if step >= MANY_STEPS:
            self._growths["kept"].ends(step, alive())
        TRACED.holds()  # the functions may be gone, with the frame that had them
        self._tell(step)

    def _pend(self, step: int) -> None:
        """Count what waits in the graph of parameters and state."""
        operations = self.inspection.view.pending
        if operations is not None:
            self._growths["pending"].mark(step, self.inspection.sources if operations >= PENDING else 0)

    def _tell(self, step: int) -> None:
        functions = sorted(KNOWN, key=lambda one: one.arrays)
        per_step = {name: one.per_step for name, one in self._growths.items()}
        if step < MANY_STEPS or (sum(per_step.values()) < FEW and not self._told):
            return
        self._told = True
        traced = per_step["traced"] > HALF * sum(per_step.values())
        recorder, limit = self.inspection.recorder, limit_of_metal()
        recorder.revise(
            BuffersHeld(
                kept=self._growths["kept"].by(step),
                kept_per_step=per_step["kept"],
                traced=self._growths["traced"].by(step),
                traced_per_step=per_step["traced"],
                pending=self._growths["pending"].by(step),
                pending_per_step=per_step["pending"],
                per_trace=functions[-1].per_trace if functions else 0,
                most_traced=most(functions),
                limit=limit or LIMIT,
                metal=bool(limit),
            ),
            functions[-1].traces.site if functions and traced else recorder.update_site,
        )


def alive() -> int:
    """Count the arrays that Python keeps, wherever they are."""
    import mlx.core as mx

    return operator.countOf(map(type, gc.get_objects()), mx.array)


def most(functions: list[Kept]) -> int:
    """Return how many arrays the traces can come to keep, of lengths like those seen; 0 where nothing bounds them."""
    rooms = [(one.per_trace, one.traces.room) for one in functions if one.arrays]
    return sum(each * room for each, room in rooms) if all(room for _, room in rooms) else 0


def limit_of_metal() -> int:
    """Return how many buffers MLX allows on this machine's Metal; 0 where there is none."""
    import mlx.core as mx

    told: Any = getattr(mx, "device_info", dict)()
    return int(told.get("resource_limit", 0))
