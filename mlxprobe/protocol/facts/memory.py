"""Facts about memory that grows or runs out."""

from __future__ import annotations

from mlxprobe.protocol.fact import Fact


class BuffersHeld(Fact):
    """How many buffers of the device Python, traces and the pending graph hold, and by how many more each step."""

    kept: int
    kept_per_step: float
    traced: int
    traced_per_step: float
    pending: int
    pending_per_step: float
    per_trace: int
    most_traced: int
    limit: int
    metal: bool


class CacheUnbounded(Fact):
    """A cache of results keeps all of them."""

    function: str
    results: int
    hits: int


class ContainerGrows(Fact):
    """A container of the program's keeps more and more arrays."""

    variable: str
    arrays: int


class MemoryNearlyGone(Fact):
    """The machine's memory is nearly used up, or the GPU's."""

    available_bytes: int
    total_bytes: int
    held_bytes: int
    gpu: bool


class GraphRetained(Fact):
    """A variable keeps pending operations, more of them every step."""

    variable: str
    operations: int
    per_step: float
    resets: int
    window: float
