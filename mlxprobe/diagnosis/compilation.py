"""Findings about `mx.compile`."""

from __future__ import annotations

from collections.abc import Iterator

from mlxprobe.diagnosis.registry import facts, finding, rule
from mlxprobe.values.observation import Fact, Observation
from mlxprobe.values.record import Finding
from mlxprobe.values.vocabulary import Severity

ENOUGH_TRACES = 12
ENOUGH_NUMBERS = 6
EVERY = 0.8
PADDED = 8  # lengths that differ by multiples of this are padded, and come back
USED = 2  # calls of a compiled function that make it worth its trace


@finding("MP501", "uncaptured-state")
def uncaptured_state(seen: Observation) -> Iterator[Finding]:
    """A compiled step updates state that it was not told of.

    `mx.compile` traces the step once; state that is neither among its inputs nor its outputs is baked in as it was,
    and what the update makes of it is a placeholder without a value. Where that is but a step counter that no update
    reads, as plain SGD's, it is a note.

    Example: `@mx.compile` over a function that calls `optimizer.update(model, grads)`.

    Use instead: `state = [model.state, optimizer.state]`, then `@partial(mx.compile, inputs=state, outputs=state)`.
    """
    for fact in {(f.file, f.line, f.detail["what"]): f for f in seen.facts if f.name == "state not captured"}.values():
        message = f"the compiled function updates {fact.detail['what']}, which is not among its inputs and outputs"
        severity = Severity.ERROR if fact.detail["needed"] else Severity.NOTE
        yield rule("MP501").at(message, fact.file, fact.line, severity=severity)


@finding("MP502", "retrace-every-step", Severity.WARNING)
def retrace_every_step(seen: Observation) -> Iterator[Finding]:
    """A compiled function is traced again and again.

    Every trace costs what compilation was to save. A new shape, another Python number among the arguments, or
    `mx.compile` called inside the loop makes a new trace.

    What counts is the later half of the calls: five lengths make five traces, and then none. Where lengths are padded
    to a multiple, and have not come back yet, this is a note.

    Example: `mx.compile(step)(batch, learning_rate)` with a Python number that changes every step.

    Use instead: compile once, outside of the loop; pass what changes as an array; pad to few shapes.
    """
    functions = {fact.detail["function"]: fact for fact in seen.facts if fact.name == "traces"}  # the last of each
    for fact in functions.values():
        names = ("traces", "calls", "late_traces", "late_calls", "stride")
        traces, calls, late, of, stride = (float(str(fact.detail[name])) for name in names)
        if traces < (ENOUGH_NUMBERS if fact.detail["numbers"] else ENOUGH_TRACES) or late < EVERY * of:
            continue
        padded = stride >= PADDED and not fact.detail["numbers"]
        message = f"a compiled function was traced {traces:.0f} times in {calls:.0f} calls{why(fact, stride)}"
        severity = Severity.NOTE if padded else Severity.WARNING
        yield rule("MP502").at(message, fact.file, fact.line, severity=severity, traces=traces, calls=calls)
        return
    for fact in facts(seen, "compiled anew"):
        made, calls = float(str(fact.detail["functions"])), float(str(fact.detail["calls"]))
        if calls and calls < USED * made:
            message = f"mx.compile has been called {made:.0f} times here, and what it made {calls:.0f} times"
            yield rule("MP502").at(message, fact.file, fact.line, functions=made, calls=calls)


def why(fact: Fact, stride: float) -> str:
    """Name what was new at every trace."""
    if fact.detail["numbers"]:
        return ": a Python number among its arguments is another one each time"
    if stride >= PADDED:
        return f": lengths padded to multiples of {stride:.0f} have not come back yet"
    return ": it is given arrays of other lengths each time" if stride else ""
