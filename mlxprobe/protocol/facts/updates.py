"""Facts about updates and what becomes of the parameters."""

from __future__ import annotations

from mlxprobe.protocol.fact import Fact


class AnotherTraining(Fact):
    """From a gradient call on another optimizer trains a model."""

    stream: int
    call: int


class AppliedAgain(Fact):
    """An update is given gradients that another one was given before."""

    before: str
    others: bool


class BetasReversed(Fact):
    """An optimizer's betas are in the wrong order."""

    first: float
    second: float
    optimizer: str


class ClippedAway(Fact):
    """Clipping leaves little of any gradient."""

    norm: float
    limit: float
    times: float
    size: float
    looks: int
    momentum: float


class ClippedEverywhere(Fact):
    """Most elements of the gradients are cut at a limit."""

    limit: float
    share: float
    looks: int
    seen: str = ""


class ClippedResultUnused(Fact):
    """What clipping returned is not what the update is given."""

    limit: float
    times: float
    meant: bool


class ClippedWhileScaled(Fact):
    """Gradients are clipped before their loss scale is taken out."""

    limit: float
    scale: float
    norm: float
    optimizer: str


class CopyUnmoved(Fact):
    """A copy of the model's weights never changes."""

    called: str
    updates: int


class FirstUpdate(Fact):
    """The first update."""


class FollowerSlow(Fact):
    """An average of the weights follows too slowly for the length of the run."""

    way: float
    updates: int


class FollowerUnmoved(Fact):
    """A target model never follows."""

    called: str
    updates: int


class FrozenChanged(Fact):
    """Frozen parameters change all the same."""

    paths: tuple[str, ...]


class FrozenUpdated(Fact):
    """The optimizer updates frozen parameters."""

    paths: tuple[str, ...]
    count: int


class GradientsAccumulated(Fact):
    """An update was given the sum of several calls' gradients, or a share of it."""

    calls: int
    share: float
    scalings: int
    optimizer: str
    seen: str = ""


class GradientsDropped(Fact):
    """Gradient calls are in no update: `calls` of the `of` before one."""

    calls: int
    of: int
    at_end: bool


class GradientsOfAnother(Fact):
    """A model is updated with another model's gradients, and its own are never computed."""

    model: str
    other: str


class GradientsUnused(Fact):
    """Gradients were computed and no parameter changed."""

    gradients: int
    optimizers: int


class NeverTaught(Fact):
    """A model that another one follows is never trained."""

    updates: int


class NotCleared(Fact):
    """Accumulated gradients are never reset."""

    calls: int
    seen: str = ""


class NothingTrainable(Fact):
    """The model has no trainable parameter."""

    seen: str = ""
    idle: str = ""


class OptimizerRenewed(Fact):
    """New optimizers without state go on where others were."""

    times: int
    optimizer: str
    updates: int
    span: int
    rounds: bool


class ParametersUnchanged(Fact):
    """Parameters stay the same although they are updated; no longer where `looks` is 0."""

    looks: int


class RateAstray(Fact):
    """A learning rate is set where the optimizer does not read it."""

    attribute: str
    rate: str
    first: str
    last: str
    optimizer: str
    seen: str = ""


class Resumed(Fact):
    """Training goes on from weights of a file."""

    stream: int


class ScheduleRestarted(Fact):
    """A schedule is made anew during training."""

    made: int
    span: int
    updates: int


class ScheduleUnused(Fact):
    """A schedule reaches no optimizer."""

    schedule: str
    calls: int
    rates: tuple[str, ...]
    same: bool


class SetToTheSame(Fact):
    """Weights are set to what they are."""

    times: int


class UpdatesPutOff(Fact):
    """The most updates that nobody has evaluated."""

    updates: int


class UpdatesRoundedAway(Fact):
    """Updates are smaller than the precision of most parameters."""

    share: float
    dtype: str
    looks: int
    moved: float
    stayed: float


class WeightsBack(Fact):
    """At the end the weights are back where they began."""

    way: float
    updates: int


class WeightsDecayed(Fact):
    """How much of the largest matrices' first size is left."""

    share: float
    gone: int
