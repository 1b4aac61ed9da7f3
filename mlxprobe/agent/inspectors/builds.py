"""How long Python takes to describe one gradient call: by the thread's own time, in which nothing is computed."""

from __future__ import annotations

import sys
import time

from mlxprobe.agent import graph
from mlxprobe.agent.call import Call
from mlxprobe.agent.inspection import Inspection, Inspector

LONG_S = 0.05  # ten thousand operations and more
SURE = 2  # looks


class Builds(Inspector):
    """Time the gradient calls that are looked at, and hold memory's peak against what goes in."""

    def __init__(self, inspection: Inspection) -> None:
        super().__init__(inspection)
        self._began_s = 0.0
        self._long = 0
        self._given = 0
        self._site = ("", 0)
        self._took_s = 0.0

    def calling(self) -> None:
        self._began_s = time.thread_time()

    def called(self, call: Call) -> None:
        """A call has been described; what it needs is known once it has been computed."""
        self._took_s = time.thread_time() - self._began_s if self._began_s else 0.0  # a compiled one has no beginning
        self._began_s = 0.0
        if self._took_s >= LONG_S:
            self._long += 1
            self._site = call.site
            self._given = sum(one.nbytes for one in graph.leaves([call.parameters, call.data]))

    def look(self, step: int) -> None:
        if self._took_s >= LONG_S and self._long >= SURE:
            self._long, mx = -1_000_000, sys.modules["mlx.core"]
            peak = mx.get_peak_memory() if hasattr(mx, "get_peak_memory") else 0
            detail = {"seconds": self._took_s, "given_bytes": self._given, "peak_bytes": int(peak)}
            self.inspection.recorder.fact("long build", self._site, **detail)
