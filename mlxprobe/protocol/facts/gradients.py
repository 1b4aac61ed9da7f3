"""Facts about gradients before they are applied."""

from __future__ import annotations

from mlxprobe.protocol.fact import Fact


class FirstGradient(Fact):
    """The first gradient call."""


class GradientFailed(Fact):
    """A gradient call raised, and training went on."""

    at: str
    type: str
    message: str


class GradientMissing(Fact):
    """Trainable parameters get no gradient."""

    paths: tuple[str, ...]
    count: int


class GradientNotFinite(Fact):
    """Gradients are not finite."""

    paths: tuple[str, ...]
    count: int
    call: int


class GradientsRecovered(Fact):
    """Gradients that were not finite never reached the parameters, up to a call."""

    call: int


class NotLookedAt(Fact):
    """Something could not be looked at."""

    what: str
    why: str


class NothingToLearn(Fact):
    """All gradients are zero, and so is the loss."""

    looks: int
    zero: tuple[str, ...]


class ZeroGradient(Fact):
    """Gradients are exactly zero; no longer where `count` is 0."""

    count: int
    of: int = 0
    paths: tuple[str, ...] = ()
    between: str = ""
    seen: str = ""
    spare: bool = False
    known: bool = True
    alive: int = 0
    stranger: str = ""
    own: int = 0
