"""Facts about low-rank adapters and the files that hold them."""

from __future__ import annotations

from mlxprobe.protocol.fact import Fact


class AdapterScale(Fact):
    """An adapter is loaded with another scale than its file was written with."""

    file: str
    wrote: str
    source: str
    has: str
    layers: int


class AdapterWithBase(Fact):
    """Adapters are trained together with the weights that they adapt."""

    count: int
    bases: tuple[str, ...]
    rank: str
    adapters: int
    elements: int
    seen: str = ""


class AdaptersFrozen(Fact):
    """All adapters are frozen, and their products are zero."""

    count: int
    paths: tuple[str, ...]
    trained: int
    seen: str = ""


class Fused(Fact):
    """What is left of adapters after they were fused into quantised weights."""

    weights: int
    lost: float
    error: float
    bits: str


class FusedNothing(Fact):
    """Weights were quantised again, and nothing of their adapters is in them."""

    weights: int
