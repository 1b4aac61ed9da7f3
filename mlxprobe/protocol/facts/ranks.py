"""Facts about one rank of several, compared between them outside."""

from __future__ import annotations

from mlxprobe.protocol.fact import Fact


class AskedToLeave(Fact):
    """A rank has asked to leave by `sys.exit`."""


class BatchMade(Fact):
    """Where a rank makes its batch."""


class StateGiven(Fact):
    """A rank was given weights, or an optimizer's state."""

    what: str


class GradientsRead(Fact):
    """A sample of the gradients that a rank is about to apply."""

    at: int
    of: str
    calls: int
    values: tuple[float, ...]
    sizes: tuple[int, ...]
    batch: tuple[str, ...]
    rows: int
    sharded: bool
    optimizer: str
    scale: float
    scaled_at: str


class ModelMade(Fact):
    """Where a rank makes its model, and from which seed."""

    seed: str
    seeded: str


class OwnWork(Fact):
    """How often a rank was at work of its own, and the lines that led there."""

    looks: int
    at_work: int
    way: tuple[str, ...]


class ParametersHashed(Fact):
    """Hashes and a sample of a rank's parameters."""

    at: int
    of: str
    bits: str
    values: tuple[float, ...]
    elements: int


class ReducedInVain(Fact):
    """All parameters were reduced at the last step, and nothing came of it."""

    at: int


class Rounds(Fact):
    """The statements by which a rank leaves, skips and makes the rounds of its loop."""

    left: tuple[str, ...]
    skipped: tuple[str, ...]
    made: tuple[str, ...]


class StatisticsRead(Fact):
    """A sample of a rank's running statistics."""

    path: str
    mean: tuple[float, ...]
    deviation: tuple[float, ...]
    rows: int


class WeightsWritten(Fact):
    """A rank has written weights to a file."""

    path: str
