"""What is run, and what is seen of it: frozen values. Times are seconds since the program's start."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Generic, TypeVar

from mlxprobe.protocol.fact import F, Fact
from mlxprobe.schema.base import Value as Value  # noqa: PLC0414 - other packages import it from here
from mlxprobe.schema.enums import HangKind, Whose
from mlxprobe.schema.program import Program as Program  # noqa: PLC0414
from mlxprobe.schema.run_summary import Sheet

F_co = TypeVar("F_co", bound=Fact, covariant=True)


class Place(Value, frozen=True):
    """A line of a file, with its text where a report quotes it."""

    file: str
    line: int
    source: str = ""


class Process(Value, frozen=True):
    """Which process of a watch an observation is of, and its rank in the group of all, where that is known.

    `parent` is its parent's process number at its start, `command` its words. `rank` is what MLX_RANK says, then what
    the group of all says; -1 without either. `size` is the number of ranks (0: unknown), `job` that of its job, from 1,
    where several were launched.
    """

    pid: int
    parent: int = 0
    rank: int = -1
    size: int = 0
    command: tuple[str, ...] = ()
    job: int = 0


class Collective(Value, frozen=True):
    """One collective operation of one rank, or one end of a message, in the order in which the rank has built them.

    The `n`th (from 1) that this rank has built in `group`: "world", or "world/0.1" for the part of color 1 of its
    first split. All ranks of a group call it the same; where they agree, `n` names the same operation on all of them.

    Args:
        shape: of the array that goes in; of the one that comes for recv and recv_like.
        nth: of all collectives of its group, or messages to or from its peer, that are not traced; 0 where unknown.
        peer: the other rank of a message, within `group`; -1 for a collective of all.
        step: the training step under way, as `Step.n`; 0 before the first.
        way: the lines that led to its own, where there are several: "model.py:9 < train.py:31".
        begun_s: when the first evaluation began after it was built which may hold it; None while there was none.
        done_s: when that has returned; None while it waits, or was never asked for. What a program lets lie while it
            evaluates other things, or not all ranks have built, has not run.
        sure: it is an array that this evaluation itself was given, so `begun_s` and `done_s` are its own.
        leaf: the path of the gradient that goes in, where that is known.
        traced: it was built while a function was compiled, whose calls run it again, and do not count.
        within: it was built by a gradient call: of activations, or of what goes back to them, not of whole gradients.
        passed: what was evaluated since held no collective, or others, as it was drawn, or at the same line before.
    """

    n: int
    operation: str
    shape: tuple[int, ...] = ()
    dtype: str = ""
    group: str = "world"
    peer: int = -1
    step: int = 0
    nth: int = 0
    file: str = ""
    line: int = 0
    source: str = ""
    caller: Place | None = None
    way: str = ""
    built_s: float = 0.0
    begun_s: float | None = None
    done_s: float | None = None
    sure: bool = False
    traced: bool = False
    passed: bool = False
    leaf: str = ""
    within: bool = False


class Environment(Value, frozen=True):
    """The interpreter and the MLX in it, as the agent found them; `device_limits` are the numbers of its device."""

    python: str
    executable: str
    platform: str
    mlx: str = ""
    device: str = ""
    device_name: str = ""
    devices: tuple[str, ...] = ()
    gpus: int = 0
    device_limits: dict[str, int] = {}
    problem: str = ""

    @property
    def kind(self) -> str:
        """The kind of its device; MLX calls Metal's and CUDA's alike."""
        return "metal" if self.device == "gpu" and self.platform.startswith("macOS") else self.device


class Limits(Value, frozen=True):
    """Where a program is ended; `active_bytes` is of MLX's arrays on a GPU, which RSS leaves out. 0 bytes: no limit.

    A busy program that has been silent for `stall_s` is stuck once that silence is longer than `busy_s` (None: than
    `stall_s`) without what it waited for a processor.
    """

    stall_s: float
    startup_s: float
    timeout_s: float
    memory_bytes: int
    active_bytes: int = 0
    busy_s: float | None = None
    basis: str = ""


class Step(Value, frozen=True):
    """One update of the optimizer (one gradient call where there is none); `gradient` is the largest absolute value."""

    n: int
    t_s: float
    step_s: float
    gradients: int = 0
    pending: int | None = None
    gradient: float | None = None
    active_bytes: int = 0


class Reading(Value, frozen=True):
    """A loss that the program read or evaluated, with its gradient call (a step may have several) and its model."""

    step: int
    value: float
    stream: int = 0


class Sample(Value, frozen=True):
    """The process tree from outside, with the CPU time that it has used so far.

    Of a rank also what it has used for work of its own, not to wait for others (`own_s`), and for how long its threads
    have wanted a processor for that, had or not (`wanted_s`); 0 where nobody knows, and up to 0.25 s old.
    """

    t_s: float
    rss_bytes: int
    cpu_s: float
    own_s: float = 0.0
    wanted_s: float = 0.0


class MlxSample(Value, frozen=True):
    """MLX's own memory counters, from inside: active and peak exclude the cache."""

    t_s: float
    active_bytes: int
    cache_bytes: int
    peak_bytes: int


class Frame(Value, frozen=True):
    """A line of a Python stack, and whose code it is; a library is the standard one, MLX or mlxprobe."""

    file: str
    line: int
    function: str
    code: str = ""
    whose: Whose = Whose.OWN


class Stack(Value, frozen=True):
    """The Python stack of one thread of one process of the tree, and the `native` calls further in; innermost first."""

    pid: int
    thread: str
    frames: tuple[Frame, ...]
    native: tuple[Frame, ...] = ()


class Silence(Value, frozen=True):
    """The last stretch without progress: how long, how busy, and where each thread stood.

    `rest_s` is for how long every one of `threads` threads has slept without a break; `waits` names what from outside
    the tree one of them waits for, or what else keeps it from being at rest.
    """

    silent_s: float
    cpu_s: float
    kind: HangKind
    stacks: tuple[Stack, ...] = ()
    rest_s: float = 0.0
    threads: int = 0
    waits: str = ""


class Raised(Value, frozen=True):
    """The exception that ended the program; `caller` as in a Finding."""

    type: str
    message: str
    file: str = ""
    line: int = 0
    caller: Place | None = None
    traceback: str = ""


class Sighting(Value, Generic[F_co], frozen=True):
    """A fact, with when and where it was seen, and how often; `caller` as in a Finding.

    `source` is the line's text where nobody else can read it: of a notebook's cell, of a zipped module.
    """

    fact: F_co
    t_s: float = 0.0
    step: int = 0
    file: str = ""
    line: int = 0
    source: str = ""
    caller: Place | None = None
    count: int = 1


class Observation(Value, frozen=True):
    """Everything that was seen of one run of a program, or of one process of it (`process`) where it has several.

    `ended` is exited, stalled, timeout, memory, interrupted, not-started, unreaped, lost, enough (was seen) or running.
    `collectives` are the last that it has built; `evaluating_s` is when the evaluation began that has not returned.
    It has `left` where it called `os._exit`, past Python's own ending.
    `mlx` is the version of the MLX that it imported, empty where it imported none, None where that is unknown.
    """

    program: str
    limits: Limits
    process: Process | None = None
    ended: str = "exited"
    exit_code: int | None = None
    begun: bool = False
    finished: bool = False
    garbled: int = 0
    mlx: str | None = None
    wall_s: float = 0.0
    detection_s: float | None = None
    begun_s: float = 0.0
    finished_s: float = 0.0
    longest_silence_s: float = 0.0
    silence: Silence | None = None
    raised: Raised | None = None
    steps: tuple[Step, ...] = ()
    losses: tuple[Reading, ...] = ()
    samples: tuple[Sample, ...] = ()
    memory: tuple[MlxSample, ...] = ()
    sightings: tuple[Sighting[Fact], ...] = ()
    stacks: tuple[Stack, ...] = ()
    sheet: Sheet = Sheet()
    result: dict[str, tuple[float, ...]] = {}
    score: float | None = None
    collectives: tuple[Collective, ...] = ()
    evaluating_s: float | None = None
    output_tail: str = ""
    left_behind: tuple[int, ...] = ()
    left: bool = False

    def every(self, kind: type[F]) -> Iterator[tuple[F, Sighting[F]]]:
        """List all facts of a type, in order, each with its sighting."""
        for one in self.sightings:
            if isinstance(one.fact, kind):
                yield one.fact, one  # type: ignore[misc]

    def facts(self, kind: type[F]) -> Iterator[tuple[F, Sighting[F]]]:
        """List the facts of a type, one of each place: the last, which has counted the most."""
        yield from {(one.file, one.line): (fact, one) for fact, one in self.every(kind)}.values()

    def has(self, *kinds: type[Fact]) -> bool:
        """Check whether there is a fact of one of these types."""
        return any(isinstance(one.fact, kinds) for one in self.sightings)
