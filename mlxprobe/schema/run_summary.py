"""What a run was made of: facts without judgement, sent by the agent as parts; each is sent anew as it grows."""

from __future__ import annotations

from mlxprobe.schema.base import Value


class Kind(Value, frozen=True):
    """The modules of one class, with the elements of their own parameters."""

    modules: int = 0
    parameters: int = 0
    trainable: int = 0


class Model(Value, frozen=True):
    """The first model that was updated, and how many `others` were.

    `adapters` are low-rank layers, as `rank 8, scale 20` with their number.
    """

    parameters: int = 0
    trainable: int = 0
    kinds: dict[str, Kind] = {}
    adapters: dict[str, int] = {}
    weights: dict[str, int] = {}  # elements by type
    activations: tuple[str, ...] = ()  # what linear layers were given
    gradients: tuple[str, ...] = ()
    logits: str = ""
    state: tuple[str, ...] = ()  # types of what the optimizer keeps
    others: int = 0
    before: tuple[tuple[int, int], ...] = ()  # trainable and all parameters in earlier parts of the run
    classes: int = 0  # last axis of the logits that a cross-entropy was given


class Optimizer(Value, frozen=True):
    """An optimizer, with its rate after some of its updates; `span` and `warmup` count them in the schedule."""

    name: str
    rates: tuple[tuple[int, float], ...] = ()
    schedule: str = ""
    span: int = 0
    warmup: int = 0
    weight_decay: float = 0.0
    settings: dict[str, str] = {}  # what else it was made with: momentum, betas
    file: str = ""
    line: int = 0
    made_in: str = ""  # the file and line that make it
    made_at: int = 0


class Phase(Value, frozen=True):
    """What a part of the program's time went to."""

    seconds: float = 0.0
    times: int = 0
    slowest_s: float = 0.0


class Sheet(Value, frozen=True):
    """The facts of a run that the series of an Observation do not hold."""

    model: Model | None = None
    optimizers: tuple[Optimizer, ...] = ()
    optimizers_seen: int = 0  # all of them, with those that are not listed
    optimizers_alike: bool = False  # whether all of them are of the same kind, rate and settings
    updates: int = 0
    by_hand: int = 0  # of these, those that no optimizer of MLX has made
    uncounted: bool = False  # whether parameters change that no update is counted of: in place
    unfollowed: int = 0  # gradient calls that were given other arrays than the one before: parameters or data
    as_of: int = 0  # the update that times and calls were sent at last, where more came and the run has not ended
    gradients: int = 0  # gradient calls
    calls_each: tuple[int, int] = (0, 0)  # the fewest and most of an update but the first; 0 where unknown
    begun: tuple[tuple[int, int], ...] = ()  # stream and gradient call from which on a model is in another training
    names: dict[str, str] = {}  # classes of the first models, by stream
    mean_loss: bool = False  # whether each loss is known to be a mean over positions and nothing more
    batches: dict[str, int] = {}  # the first shapes that were seen
    shapes: int = 0  # all of them, up to a thousand
    compared: int = 0  # batches, each read in full
    different: int = 0  # of these, by any element of any array
    clip_norm: float = 0.0  # that all gradients were scaled down to, where they were larger
    positions: int = 0  # of the gradient calls that were looked at, each with a loss of its own
    carrying: int = 0  # of these, those that carry loss
    traces: dict[str, tuple[int, int]] = {}  # traces and calls, by compiled function
    phases: dict[str, Phase] = {}
    line_between: str = ""  # file and line that most of the time between steps goes to
    peak_bytes: int = 0
    peak_in: str = ""  # the phase at whose end MLX's peak was last higher than before
    read: tuple[str, ...] = ()
    written: tuple[str, ...] = ()
    files: dict[str, int] = {}  # `read` and `written`, up to a thousand
