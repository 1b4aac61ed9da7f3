"""Facts about what a model returns and what its layers do."""

from __future__ import annotations

from mlxprobe.protocol.fact import Fact


class ArrayUntrained(Fact):
    """Arrays of the user's class take part in the loss and are no parameters; no longer where there are none."""

    paths: tuple[str, ...]
    joins: bool
    seen: str = ""


class CallNotRepeated(Fact):
    """A model's call could not be repeated; `facts` names what is not known therefore."""

    why: str
    facts: tuple[str, ...]


class CausalityTested(Fact):
    """Whether outputs change with ids that come after them."""

    leaks: bool
    model: str
    seen: str = ""


class ChannelsFirst(Fact):
    """Data reach a layer with their channels before their positions."""

    shape: str
    channels: float
    time: float | None = None


class DroppedOut(Fact):
    """The share of values that a dropout layer keeps."""

    paths: tuple[str, ...]
    kept: float
    seen: str = ""


class EvaluationMode(Fact):
    """Layers are in evaluation mode while they train."""

    kind: str
    paths: tuple[str, ...]
    seen: str = ""


class FrozenStatisticsMoved(Fact):
    """Running statistics of a frozen layer have moved, by so many deviations."""

    path: str
    moved: float
    seen: str = ""


class HeadsSwapped(Fact):
    """Rotary positions are given heads and positions in the wrong order."""

    shape: str
    heads: int


class InitialDropped(Fact):
    """What an initialiser returned was not used."""

    function: str
    times: int


class InputIdle(Fact):
    """Inputs make no difference to the outputs; no longer where `looks` is 0."""

    looks: int
    names: tuple[str, ...] = ()
    model: str = ""


class InputZero(Fact):
    """An input of the model is zero in all rows; no longer where `looks` is 0."""

    looks: int
    input: str = ""
    beside: str = ""
    model: str = ""


class LastBatch(Fact):
    """Running statistics take nearly everything from the last batch."""

    path: str
    momentum: float


class LossNotRepeated(Fact):
    """The loss function could not be called again."""

    why: str


class ModesDiffer(Fact):
    """In evaluation mode a model returns something else; no longer where `looks` is 0."""

    looks: int
    apart: float = 0.0
    model: str = ""


class ModulesUnowned(Fact):
    """Modules in a tuple or behind an underscore are no part of the model."""

    paths: tuple[str, ...]
    count: int


class OneLayer(Fact):
    """Several places of a model hold the same layer, which returned the `same` so often."""

    path: str
    places: int
    kind: str
    same: int = 0
    seen: str = ""


class OnePlace(Fact):
    """The outputs depend on one place of an input alone; no longer where `looks` is 0."""

    looks: int
    argument: str = ""
    at: int = 0
    of: int = 0
    model: str = ""


class OutputsAlike(Fact):
    """Outputs hardly differ from row to row; no longer where `looks` is 0."""

    looks: int
    deviation: float = 0.0
    targets: float = 0.0
    model: str = ""


class OutputsCollapsed(Fact):
    """Outputs have become alike; no longer where `looks` is 0."""

    looks: int
    now: float = 0.0
    first: float = 0.0
    model: str = ""


class ParameterOverwritten(Fact):
    """The loss function writes into parameters."""

    paths: tuple[str, ...]
    seen: str = ""


class Reshaped(Fact):
    """Axes are reshaped where they were to be transposed."""

    before: str
    after: str


class RowByRow(Fact):
    """A model is called once for each row."""

    times: int
    together: int
    model: str


class RowsMixed(Fact):
    """What a model returns for a row depends on other rows, or on its place; no longer where `looks` is 0."""

    looks: int
    place: bool = False
    beside: bool = False
    sure: bool = False
    model: str = ""


class RowsSecond(Fact):
    """A recurrent layer takes the batch's rows for positions."""

    shape: str
    rows: int


class StateCarriedOver(Fact):
    """A model keeps something between its calls, so that the same rows give other outputs."""

    model: str


class StatisticsUpdatedFrozen(Fact):
    """A frozen layer updates its running statistics."""

    seen: str = ""


class TieParted(Fact):
    """Two parameters were one array and are two now."""

    one: str
    other: str
    kinds: tuple[str, ...]


class TimeFirst(Fact):
    """Data reach a layer with their positions before their rows."""

    shape: str
    time: float
    channels: float


class TrainingMode(Fact):
    """A layer is in training mode while the model is evaluated."""

    kind: str


class UnevaluatedPass(Fact):
    """Losses of an evaluation pass pile up before they are evaluated."""

    losses: int
    before_bytes: int
    peak_bytes: int
    small: bool


class UnitsAlike(Fact):
    """The units of a layer are alike."""

    path: str
    units: int
    looks: int
    seen: str = ""


class UpdatedWithItself(Fact):
    """A module is updated with itself."""

    of: str
