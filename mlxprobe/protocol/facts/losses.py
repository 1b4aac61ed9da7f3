"""Facts about losses and what they are made of."""

from __future__ import annotations

from mlxprobe.protocol.fact import Fact


class ArgumentUnused(Fact):
    """Arguments of the loss function take no part in the loss; those `read` may do so through Python."""

    names: tuple[str, ...]
    reached: tuple[str, ...]
    read: tuple[str, ...]
    itself: bool
    greedy: tuple[str, ...]
    seen: str = ""


class AttentionTransposed(Fact):
    """Weights are a softmax along another axis than the one that is summed."""

    axis: int
    shape: str


class ChosenByProbabilities(Fact):
    """`mx.random.categorical` is given probabilities."""


class EvaluationNotFinite(Fact):
    """A value that is read after an evaluation is not finite, in some of the passes."""

    passes: int
    bad: int
    last: bool
    value: str
    loss: bool


class HandWrittenLogSoftmax(Fact):
    """A log-softmax is built by hand."""

    kind: str


class LogitsAlike(Fact):
    """The logits of all rows are alike."""

    spread: float
    looks: int
    updates: int


class LogitsNarrow(Fact):
    """The logits of each row lie close together, at all looks up to the last."""

    width: float
    looks: int
    classes: int
    updates: int
    last: int


class LossGraphSeen(Fact):
    """A loss was seen before its evaluation."""


class LossNotFinite(Fact):
    """A loss is not finite."""

    value: str
    call: int


class LossShare(Fact):
    """Which positions carry loss, and how they are weighed."""

    positions: int
    carrying: int
    shares: tuple[float, ...]
    scales: tuple[float, ...]
    padding: int
    trained: int
    read: int
    tails: int
    id: int
    marked: int
    mark: int
    padded: int
    alone: int
    amounts: bool
    looks: int
    classes: int


class LossesSampled(Fact):
    """Losses are evaluated for us, since the program does not read them."""

    alone: bool


class NoLabels(Fact):
    """The loss is made of log-probabilities, and no label picks any."""

    seen: str = ""


class OneOutcome(Fact):
    """All targets have one value; no longer where `looks` is 0."""

    value: float
    read: int
    filled: bool
    classes: int
    looks: int


class NotFiniteOrigin(Fact):
    """The operation in which a value became not finite. Which fields there are depends on `kind`."""

    kind: str
    call: int
    phase: str = ""
    op: str = ""
    elements: int = 0
    of: int = 0
    largest: float = 0.0
    lowest: float = 0.0
    value: float | None = None
    dtype: str = ""
    array: str = ""
    hidden: bool = False
    incoming: float = 0.0
    optimizer: str = ""
    eps: float = 0.0
    rate: float | None = None
    why: str = ""
    paths: tuple[str, ...] = ()


class PooledAcross(Fact):
    """Pooling runs over an axis that is not of positions."""

    shape: str


class ProbabilitiesGiven(Fact):
    """A loss that takes logarithms is given probabilities."""


class ProbabilityRatio(Fact):
    """How log-probabilities of before go with those of now (correlations)."""

    argument: str
    looks: int
    mean: float
    most: float


class ScaleInverted(Fact):
    """Attention's scale is multiplied where it is to be divided."""

    scale: float
    features: int


class SoftmaxOverAll(Fact):
    """A softmax runs over all elements."""

    shape: str


class SoftmaxOverRows(Fact):
    """A softmax runs over the rows of a batch."""

    shape: str


class SquashedTwice(Fact):
    """A loss of logits is given what is squashed already."""

    kind: str
    seen: str = ""


class Supervision(Fact):
    """Whether the losses of a model compare outputs with targets."""

    stream: int
    supervised: bool
    single: bool = False


class TargetsOutOfReach(Fact):
    """Targets lie where the outputs cannot come, at `out` of `looks`."""

    kind: str
    share: float
    low: float
    high: float
    looks: int
    out: int
    seen: str = ""


class TwoClasses(Fact):
    """Targets are zeros and ones."""

    stream: int


class Worth(Fact):
    """Whether a policy's gradient makes more likely what was worth more."""

    argument: str
    looks: int
    better: int
    worse: int


class WronglyGiven(Fact):
    """A loss is given numbers that it does not take. Which fields there are depends on `kind`."""

    kind: str
    loss: str = ""
    argument: str = ""
    share: float = 0.0
    sum: float = 0.0
    low: float = 0.0
    high: float = 0.0
    smoothing: float = 0.0
    right: float = 0.0
    wrong: float = 0.0
