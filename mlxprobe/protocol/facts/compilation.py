"""Facts about functions of `mx.compile`."""

from __future__ import annotations

from mlxprobe.protocol.fact import Fact


class ArraysBakedIn(Fact):
    """Arrays that change are constants of a compiled function; `of` so many that were compared."""

    paths: tuple[str, ...]
    of: int


class CompiledAnew(Fact):
    """A function is compiled again and again."""

    functions: int
    calls: int
    by: str = ""


class DrawsRepeat(Fact):
    """Random numbers are the same at every step; `what` is "host" for those of Python or NumPy."""

    what: str = ""


class LongTrace(Fact):
    """Building the steps takes longer than evaluating them."""

    seconds: float
    evaluation_s: float
    cpu_s: float
    ours_s: float
    operations: int
    chain: int
    calls: int
    traces: int


class NotLookedInside(Fact):
    """A compiled function could not be looked into."""

    why: str


class NumberBakedIn(Fact):
    """A number that has changed since (`before`, `now`), or should have, is a constant of a compiled function."""

    what: str
    before: float | None = None
    now: float | None = None
    calls: int = 0


class Seeded(Fact):
    """Random numbers are drawn from the same key or seed at every step."""

    what: str
    value: str = ""
    of_data: bool = False


class StateNotCaptured(Fact):
    """A compiled function updates state that is not among its inputs and outputs."""

    what: str
    needed: bool


class TracesCounted(Fact):
    """How often a compiled function was called and traced, in all and lately."""

    function: int
    traces: int
    calls: int
    late_traces: int
    late_calls: int
    numbers: tuple[str, ...]
    stride: int
