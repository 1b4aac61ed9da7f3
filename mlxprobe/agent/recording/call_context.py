"""Where the program is among MLX's calls: what every wrapper must know of the others."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from mlxprobe.agent.recording.compile_capture import Reach, Traced
from mlxprobe.agent.recording.peak_memory import Peaks
from mlxprobe.agent.wire.bound import get_ident, get_native_id


class Stop(BaseException):
    """An eager run of a compiled function is to end here: no `except Exception` of the program's may hold it."""


class Trace:
    """What happens in a compiled function while it is traced."""

    def __init__(self, reach: Reach) -> None:
        self.reach = reach  # what goes in and out
        self.calls: list[Any] = []  # gradient calls, as `inspection.Call`
        self.updated: list[Traced] = []


class Nesting:
    """How deep the program is in MLX's calls of itself (`depth`), and which compiled functions are being traced."""

    def __init__(self) -> None:
        self.depth = 0
        self.shadow = False  # whether a compiled function is run by us, to look into it
        self.glances = False  # whether that ends with its first gradient call: nothing may be evaluated but ids
        self.talks = False  # to other ranks within a gradient call or a trace: taken again by us, they would hear of it
        self.recomputed = 0  # how deep in functions under `mx.checkpoint`, whose arrays no graph keeps
        self.mapped = 0  # how deep in functions of `mx.vmap`, whose arrays have no values
        self.replay = False  # whether a gradient call is taken again by us, operation by operation
        self.reached: Callable[..., None] | None = None  # told of the next gradient call, by that run of ours
        self.tracing: list[Trace] = []
        self.peaks = Peaks()


class Home:
    """The thread that trains: what we evaluated on another would make a stream there, and a worker.

    MLX ends such a worker with the process, at times by an abort; a thread that evaluates nothing itself has none.
    """

    def __init__(self) -> None:
        self.thread = 0
        self.native_ids: set[int] = set()  # of all threads that asked

    def here(self) -> bool:
        """Tell whether this is that thread: the first that asks."""
        ident = get_ident()
        if ident == self.thread:
            return True
        self.native_ids.add(get_native_id())
        if self.thread:
            return False
        self.thread = ident
        return True
