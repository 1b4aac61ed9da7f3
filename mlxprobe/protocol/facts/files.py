"""Facts about weights and state that are saved and loaded."""

from __future__ import annotations

from mlxprobe.protocol.fact import Fact


class LoadedUntrained(Fact):
    """Weights were loaded, and what was trained before is not in them."""

    file: str
    updates: int


class LoadedUnused(Fact):
    """Arrays of a file were loaded and not used."""

    file: str
    arrays: int
    unused: bool


class OptimizerStateNotSaved(Fact):
    """Weights were saved without the optimizer's state."""

    weights: str
    updates: int


class OptimizerStateUnread(Fact):
    """Training goes on from weights, and their optimizer's state is not read."""

    weights: str
    unread: tuple[str, ...]


class OptimizerStateWiped(Fact):
    """An optimizer's state was read, and the optimizer began anew."""

    file: str
    kept: int | None


class SavedNotFinite(Fact):
    """A file is written with values that are not finite."""

    file: str
    paths: tuple[str, ...]
    count: int
    nan: int
    of: int
    trained: bool
    finite: str


class WeightsDiffer(Fact):
    """Weights do not fit their module."""

    partial: bool
    first: bool
    strict: bool
    ranks: tuple[str, ...]
    taken: int
    of: int
    left: int
    resemble: bool
    missing: tuple[str, ...]
    extra: tuple[str, ...]
    shape: tuple[str, ...]
    renamed: tuple[str, ...]
