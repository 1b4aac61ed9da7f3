"""Facts about evaluations and operations, and about what the agent could not do."""

from __future__ import annotations

from mlxprobe.protocol.fact import Fact


class AgentFailed(Fact):
    """The agent could not start."""

    error: str


class DetectorFailed(Fact):
    """A part of the agent has failed; `facts` names what is not known therefore."""

    detector: str
    error: str
    facts: tuple[str, ...] = ()


class EvaluatedWithin(Fact):
    """The loss function evaluates or reads arrays."""

    times: int


class EventLost(Fact):
    """An event of the agent's did not arrive, or could not be read."""

    event: str


class HugeGraph(Fact):
    """One step builds very many operations."""

    operators: int
    given_bytes: int
    peak_bytes: int
    seen: str = ""


class IneffectiveEvaluation(Fact):
    """An evaluation was given nothing that it can evaluate."""

    kinds: tuple[str, ...]


class LongEvaluation(Fact):
    """An evaluation after several updates without one; `whole` of all that is trained."""

    seconds: float
    lazy_steps: int
    whole: bool


class LongEvaluationByHand(Fact):
    """An evaluation after several gradient calls without one, where no optimizer updates."""

    seconds: float
    lazy_steps: int


class LossBroadcast(Fact):
    """Two operands broadcast to a result that is much larger than either."""

    shapes: tuple[str, ...]
    factor: float
    crossed: bool


class Piecemeal(Fact):
    """Elements are taken or set one by one."""

    operations: int
    set: bool


class Promoted(Fact):
    """Activations are lifted to float32 before a layer of other weights."""

    weight: str
    by_operator: bool


class ResultDropped(Fact):
    """What a function returned was not used."""

    of: str
