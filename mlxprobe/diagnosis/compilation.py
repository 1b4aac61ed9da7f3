"""Findings about `mx.compile`."""

from __future__ import annotations

from collections.abc import Iterator

from mlxprobe.diagnosis.registry import facts, finding, rule
from mlxprobe.values.observation import Observation
from mlxprobe.values.record import Finding
from mlxprobe.values.vocabulary import Severity


@finding("MP501", "uncaptured-state")
def uncaptured_state(seen: Observation) -> Iterator[Finding]:
    """A compiled step updates state that it was not told of.

    `mx.compile` traces the step once; state that is neither among its inputs nor its outputs is baked in as it was,
    and what the update makes of it is a placeholder without a value.

    Example: `@mx.compile` over a function that calls `optimizer.update(model, grads)`.

    Use instead: `state = [model.state, optimizer.state]`, then `@partial(mx.compile, inputs=state, outputs=state)`.
    """
    for fact in facts(seen, "state not captured"):
        message = f"the compiled function updates {fact.detail['what']}, which is not among its inputs and outputs"
        yield rule("MP501").at(message, fact.file, fact.line)


@finding("MP502", "retrace-every-step", Severity.WARNING)
def retrace_every_step(seen: Observation) -> Iterator[Finding]:
    """A compiled function is traced again and again.

    Every trace costs what compilation was to save. A new shape, another Python number among the arguments, or
    `mx.compile` called inside the loop makes a new trace.

    Example: `mx.compile(step)(batch, learning_rate)` with a Python number that changes every step.

    Use instead: compile once, outside of the loop; pass what changes as an array; pad to few shapes.
    """
    for fact in facts(seen, "retraced"):
        traces, calls = float(str(fact.detail["traces"])), float(str(fact.detail["calls"]))
        message = f"a compiled function was traced {traces:.0f} times in {calls:.0f} calls"
        yield rule("MP502").at(message, fact.file, fact.line, traces=traces, calls=calls)
        return
    for fact in facts(seen, "compiled anew"):
        times = float(str(fact.detail["times"]))
        yield rule("MP502").at(f"mx.compile is called anew in {times:.0f} steps", fact.file, fact.line, steps=times)
