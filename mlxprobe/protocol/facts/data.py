"""Facts about batches, and what inputs and targets have to do with each other."""

from __future__ import annotations

from mlxprobe.protocol.fact import Fact


class BatchesOverlap(Fact):
    """Each batch begins one row after the one before."""

    argument: str
    whole: str
    rows: int
    seen: int


class BytesWrapAround(Fact):
    """Whole numbers overflow where bytes are converted."""

    share: float


class ConstantLevel(Fact):
    """The loss of the best constant output on the targets that were read."""

    stream: int
    level: float
    error: float
    gain: float
    gain_error: float
    kind: str
    whole: bool
    read: int
    batches: int
    alone: int
    returns: bool
    different: int
    unseen: float


class IdOutOfRange(Fact):
    """An id lies beyond its table."""

    kind: str
    low: int
    high: int
    limit: int


class IdsSeen(Fact):
    """Ids of embeddings or targets were read."""


class InputGrows(Fact):
    """An input grows from step to step."""

    first: int
    last: int
    looks: int
    kept: bool
    seen: str = ""


class InputStill(Fact):
    """An input is one array at all looks, while another one always changes."""

    argument: str
    looks: int
    beside: str


class InputsAlike(Fact):
    """Two inputs hold the same numbers; no longer where `looks` is 0."""

    one: str
    other: str
    shared: bool
    void: bool
    looks: int
    seen: str = ""


class OtherScale(Fact):
    """Evaluated inputs (mean `m`, deviation `d`) have another scale than those of training."""

    mean: float
    deviation: float
    m: float
    d: float
    looks: int
    numbers: int


class RowsAlike(Fact):
    """All rows of a batch are equal."""

    names: tuple[str, ...]
    looks: int
    moves: bool


class SameBatch(Fact):
    """Each step is given the same rows, made anew; no longer where `looks` is 0."""

    argument: str
    looks: int
    whole: str
    rows: int
    cut: bool
    seen: str = ""


class StandardisedAlone(Fact):
    """Each batch is standardised by itself."""

    looks: int


class TargetGiven(Fact):
    """The target is a column of an input; no longer where `looks` is 0."""

    target: str
    input: str
    at: int
    looks: int
    seen: str = ""


class TargetsAreInputs(Fact):
    """Targets are the ids that are embedded, or those before them."""

    causal: bool
    before: bool
    seen: str = ""


class TargetsCut(Fact):
    """Targets have lost their fractions."""

    argument: str
    beside: str
    whole: str
    cut: int
    rows: int


class TargetsFollowInputs(Fact):
    """Targets are the ids that come after the inputs."""


class TargetsInOrder(Fact):
    """Targets stay in their order while inputs are drawn."""

    argument: str
    beside: str
    whole: str
    rows: int


class TargetsShifted(Fact):
    """Targets lie some rows from where their inputs do."""

    argument: str
    beside: str
    whole: str
    shift: int
    rows: int


class TargetsSkipOne(Fact):
    """Targets are the ids after the next ones."""


class TargetsTorn(Fact):
    """Rows that come again have other targets."""

    again: int
    same: int
    chance: float
    stream: int


class TrainedOnHeldOut(Fact):
    """Rows of a validation or test set are trained on."""

    whole: str
    rows: int
    found: int


class TurnedApart(Fact):
    """Images are turned round, and what lies beside them is not."""

    turned: str
    stays: str
    rows: int


class UsedUp(Fact):
    """An iterator is used up by the first round of an outer loop."""

    iterator: str
    kind: str
    outer: str


class WrittenTo(Fact):
    """An array of the program's is written to while batches are made of it."""

    source: str
    rows: int
    before: float
    now: float
