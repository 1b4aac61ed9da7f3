"""Findings about `mx.compile`."""

from __future__ import annotations

from collections.abc import Iterator

from msgspec.structs import replace

from mlxprobe.protocol.facts.compilation import (
    ArraysBakedIn,
    CompiledAnew,
    DrawsRepeat,
    LongTrace,
    NumberBakedIn,
    Seeded,
    StateNotCaptured,
    TracesCounted,
)
from mlxprobe.rules.registry import finding, listed, rule
from mlxprobe.schema.enums import Severity
from mlxprobe.schema.observation import Observation
from mlxprobe.schema.record import Finding

ENOUGH_TRACES = 12
ENOUGH_NUMBERS = 6
EVERY, EVERY_FIFTH = 0.8, 0.2
MANY_TRACES, EVERY_OTHER = 24, 0.5  # so many lengths are no buckets, also where some have come back by now
PADDED = 8  # lengths that differ by multiples of this are padded, and come back
VERY_LONG_S = 5.0  # of a processor: a busy machine makes any compilation long
FEW_CALLS = 8  # of each trace: one is as dear as ten and more calls, on any machine
MOST = 0.5
UNROLLED = 3000  # operations in a chain: no network is so deep
MANY_OPERATIONS = 1000
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
    told = {(at.file, at.line, fact.what): (fact, at) for fact, at in seen.every(StateNotCaptured)}
    for fact, at in told.values():
        message = f"the compiled function updates {fact.what}, which is not among its inputs and outputs"
        severity = Severity.ERROR if fact.needed else Severity.NOTE
        yield rule("MP501").at(message, at.file, at.line, severity=severity)


@finding("MP502", "retrace-every-step", Severity.WARNING)
def retrace_every_step(seen: Observation) -> Iterator[Finding]:
    """A compiled function is traced again and again.

    Every trace costs what compilation was to save. A new shape, another Python number among the arguments, or
    `mx.compile` called inside the loop makes a new trace.

    What counts is the later half of the calls: five lengths make five traces, and then none. Most of that half must
    have been traced; of two dozen traces and more, every other call; of a dozen for numbers, which do not come back,
    one call in five. Where lengths are padded to a multiple, and have not come back yet, this is a note.

    Example: `mx.compile(step)(batch, learning_rate)` with a Python number that changes every step.

    Use instead: compile once, outside of the loop; pass what changes as an array; pad to few shapes.
    """
    functions = {fact.function: (fact, at) for fact, at in seen.every(TracesCounted)}  # the last of each
    for fact, at in functions.values():
        traces, calls = fact.traces, fact.calls
        share = EVERY_OTHER if traces >= MANY_TRACES else EVERY
        if fact.numbers and traces >= ENOUGH_TRACES:
            share = EVERY_FIFTH
        if traces < (ENOUGH_NUMBERS if fact.numbers else ENOUGH_TRACES) or fact.late_traces < share * fact.late_calls:
            continue
        padded = fact.stride >= PADDED and not fact.numbers
        message = f"a compiled function was traced {traces} times in {calls} calls{why(fact)}"
        severity = Severity.NOTE if padded else Severity.WARNING
        yield rule("MP502").at(message, at.file, at.line, severity=severity, traces=traces, calls=calls)
        return
    for fact, at in seen.facts(CompiledAnew):
        made, calls = fact.functions, fact.calls
        if calls and calls < USED * made:
            by = f", by {fact.by}" if fact.by else ""
            message = f"mx.compile has been called {made} times here{by}, and what it made {calls} times"
            yield rule("MP502").at(message, at.file, at.line, functions=made, calls=calls)


SPLIT = "`key, subkey = mx.random.split(key)` in the loop, before each use, and `subkey` for what is drawn."
SEED = "the seed set once, before the loop; or keys: `key, subkey = mx.random.split(key)` before each use."


@finding("MP503", "uncaptured-random-state", Severity.WARNING)
def uncaptured_random_state(seen: Observation) -> Iterator[Finding]:
    """Every step draws the same random numbers: a compiled function was not told of their state, or it is set anew.

    The trace keeps the key that it met, and a seed that is set in the step begins each one alike. Dropout then drops
    the same units at every step, and noise is a constant. One key for every step's gradient is a note: it may be meant.
    One that draws as many numbers as its data have, or a part of each step's data between the gradient calls, is a
    warning.

    Example: `@partial(mx.compile, inputs=[model.state, optimizer.state], outputs=[…])` over a step with `nn.Dropout`;
    `mx.random.seed(0)` inside the loop.

    Use instead: put `mx.random.state` among inputs and outputs, or pass a key: `mx.random.normal(shape, key=key)`;
    set the seed once, before the loop, and `mx.random.split` a key before each use.
    """
    for fact, at in seen.facts(DrawsRepeat):
        message = "the compiled function draws random numbers, the same at every call: mx.random.state is not captured"
        if fact.what == "host":
            message = "the compiled function draws with a generator that is not MLX's: its trace alone does, once"
        yield rule("MP503").at(message, at.file, at.line)
    for fact, at in seen.facts(Seeded):
        if fact.what == "drawn":
            message = "what is drawn here for each step is drawn with one and the same key: each has the same numbers"
            yield replace(rule("MP503").at(message, at.file, at.line), instead=SPLIT)
        elif fact.what == "seed":
            message = f"the seed is set to {fact.value} at every step: each draws the same random numbers"
            yield replace(rule("MP503").at(message, at.file, at.line), instead=SEED)
        else:
            message = "every step's gradient draws random numbers with the same key"
            severity = Severity.NOTE
            if fact.of_data:
                message, severity = f"{message}, one for each element of its data", Severity.WARNING
            yield replace(rule("MP503").at(message, at.file, at.line, severity=severity), instead=SPLIT)


@finding("MP504", "baked-in-state")
def baked_in_state(seen: Observation) -> Iterator[Finding]:
    """A compiled function computes with arrays as they were when it was traced, and they have changed since.

    What a trace reads and is not told of becomes a constant of it: the weights of the first step, for ever. A gradient
    of them never changes, a validation loss neither. So it is with labels that the function takes from an object.

    A Python number, or an array of NumPy's, that the function reads of an object, a closure or a global name is a
    constant of the trace too: a warning, where it is another at a later call. So is a number that the function itself
    counts on: its Python runs once.

    Example: `mx.compile(nn.value_and_grad(model, loss_fn))` with `optimizer.update(model, grads)` outside.

    Use instead: `mx.compile(lambda x, y: step(model, x, y), inputs=model.state, outputs=model.state)`, or hand over
    what changes as an argument: a number as an array, `mx.array(rate)`.
    """
    for fact, at in seen.facts(ArraysBakedIn):
        count = len(fact.paths)
        named = f"{listed(fact.paths[:3])}{' …' if count > 3 else ''}"
        message = f"the compiled function still computes with old values of {named}: they are not among its inputs"
        yield rule("MP504").at(message, at.file, at.line, arrays=count, compared=fact.of)
    for fact, at in seen.facts(NumberBakedIn):
        what, before = fact.what, fact.before
        message = f"the compiled function still computes with {what} as it was when it was traced, and it has changed"
        if fact.calls:
            message = f"the compiled function counts {what} and computes with it: that is done in its trace alone, and"
            message += f" {what} is {before:.6g} after {fact.calls} more calls"
        elif before is not None:
            message += f" from {before:.6g} to {fact.now:.6g}"
        yield rule("MP504").at(message, at.file, at.line, severity=Severity.WARNING)


@finding("MP505", "long-trace", Severity.WARNING)
def long_trace(seen: Observation) -> Iterator[Finding]:
    """Compiling one function takes most of the run.

    A loop in a compiled function is unrolled: each turn adds its operations to one graph, which MLX has to simplify,
    and to build kernels for. A loop shows in three thousand operations one after another; where such a function is
    called more than eight times for each trace it has to take 5 s of a processor as well, since a few steps of a
    recurrent network do the same. Where the function is large and no loop shows in it, this is a note.

    Example: `for t in range(40_000): x = x + mx.array(0.0)` under `@mx.compile`.

    Use instead: compile the body of the loop, and call it in the loop; make constants once, outside.
    """
    whole = (seen.finished_s or seen.wall_s) - seen.begun_s
    for fact, at in seen.facts(LongTrace):
        operations, chain = fact.operations, fact.chain
        took, run = fact.seconds + fact.evaluation_s, whole - fact.ours_s
        unrolled, few = chain >= UNROLLED, fact.calls <= FEW_CALLS * fact.traces
        large = operations >= MANY_OPERATIONS and fact.cpu_s >= VERY_LONG_S
        if took < MOST * run or not ((unrolled and few) or large):
            continue
        what = f"{operations:,} operations" + (f", {chain:,} of them one after another" if unrolled else "")
        message = f"compiling this function and its first evaluation took {took:.1f} of the run's {run:.1f} s: {what}"
        severity = Severity.WARNING if unrolled else Severity.NOTE
        evidence = {"operations": operations, "chain": chain, "traces": fact.traces}
        yield rule("MP505").at(message, at.file, at.line, severity=severity, **evidence)


def why(fact: TracesCounted) -> str:
    """Name what was new at every trace."""
    if fact.numbers:
        return ": a Python number among its arguments is another one each time"
    if fact.stride >= PADDED:
        return f": lengths padded to multiples of {fact.stride} have not come back yet"
    return ": it is given arrays of other lengths each time" if fact.stride else ""
