"""Findings about single operations on arrays."""

from __future__ import annotations

from collections.abc import Iterator

from msgspec.structs import replace

from mlxprobe.protocol.facts.data import InputGrows
from mlxprobe.protocol.facts.models import RowByRow
from mlxprobe.protocol.facts.work import EvaluatedWithin, HugeGraph, LossBroadcast, Piecemeal, Promoted
from mlxprobe.rules.registry import finding, rule, seen_at
from mlxprobe.schema.enums import Severity
from mlxprobe.schema.metrics import megabytes
from mlxprobe.schema.observation import Observation
from mlxprobe.schema.record import Finding

ROWS = 64  # of a batch, each with a call of its own: fewer are a note

OWN_IDS = "`mx.take_along_axis(log_probabilities, labels[:, None], axis=1)`: each row at its own id."


@finding("MP108", "one-huge-graph", Severity.WARNING)
def one_huge_graph(seen: Observation) -> Iterator[Finding]:
    """One loss call unrolls a loop into a very large graph.

    The gradient needs every intermediate array of the loop at once, so that an `mx.eval` inside the differentiated
    function frees nothing. What counts is operators on arrays outside of MLX's own layers and of `mx.checkpoint`: a
    hundred for each element of the longest axis of the data, and twelve thousand and more in one call; or three
    thousand, where the loss is a chain of as many operations, one after the other, or a thousand where that chain takes
    hardly anything of the data on its way. Dozens of `mx.eval` at one line of a differentiated function are told too.

    Example: a solver of thousands of steps inside the loss.

    Use instead: gradients of shorter pieces (truncated backpropagation, with `mx.stop_gradient` between them);
    `mx.checkpoint` around blocks of steps, which computes them anew; or the derivative that is known in closed form.
    """
    for fact, at in seen.facts(HugeGraph):
        peak, given = megabytes(fact.peak_bytes), megabytes(fact.given_bytes)
        message = f"one gradient call is {fact.operators:,} operators in a loop; the peak of memory is {peak}"
        message += f", for {given} of parameters and data{seen_at(fact)}"
        yield rule("MP108").at(message, at.file, at.line, operators=fact.operators, peak_bytes=fact.peak_bytes)
    for fact, at in seen.facts(EvaluatedWithin):
        times = fact.times
        message = f"mx.eval is called {times:,} times within one gradient call, and frees nothing of a loop's graph"
        yield rule("MP108").at(message, at.file, at.line, times=times)


@finding("MP109", "growing-input", Severity.WARNING)
def growing_input(seen: Observation) -> Iterator[Finding]:
    """What the gradient call is given grows with the steps.

    Each step then takes longer than the one before, and needs more memory. A buffer that is filled and never emptied
    looks like a leak of MLX's; so does a series that is appended to. Where the rows of one call are not found again in
    the next, or not as parts of its rows, this is a note: so it is with episodes that get longer, and with rows whose
    end the program holds already.

    Example: `episodes.extend(rollout())`, then a gradient over all of `episodes`.

    Use instead: clear an on-policy buffer after the update; draw a batch of fixed size from a replay buffer.
    """
    for fact, at in seen.facts(InputGrows):
        first, last = fact.first, fact.last
        if last > first:
            message, those = f"more at every look: {first} rows, then {last}", "those before among them"
        else:
            message, those = "longer rows at every look", "which begin or end with those before"
        message = f"the gradient call is given {message}"
        if fact.kept:
            message = f"{message}, {those}{seen_at(fact)}"
            yield rule("MP109").at(message, at.file, at.line, first_rows=first, last_rows=last)
        else:
            yield rule("MP109").at(message + seen_at(fact), at.file, at.line, severity=Severity.NOTE)


@finding("MP110", "broadcast-blow-up", Severity.WARNING)
def broadcast_blow_up(seen: Observation) -> Iterator[Finding]:
    """An operation's result is many times larger than any of its operands, since an axis meets itself.

    (N, 1) and (N,) broadcast to (N, N), and (N, H) with (N, 1, H) to (N, N, H): every row with every other. The mean of
    that is a number like any other, and the memory is N times what it should be. So it is where each of N rows is asked
    for the ids of all of them.

    Example: `mx.mean((predictions - targets) ** 2)` with predictions of shape (N, 1) and targets of shape (N,);
    `log_probabilities[:, labels]`.

    Use instead: `predictions.squeeze(-1) - targets`; in general the same number of axes on both sides.
    """
    for fact, at in seen.facts(LossBroadcast):
        first, second, result = fact.shapes
        message = f"{first} and {second} broadcast to {result}, {fact.factor:.0f} times as much as either"
        if fact.crossed:
            message = f"ids of shape {second} along the last axis of {first} give {result}: each row at the ids of all "
            message += "rows, and not at its own"
        found = rule("MP110").at(message, at.file, at.line, factor=fact.factor)
        yield replace(found, instead=OWN_IDS) if fact.crossed else found


@finding("MP111", "piecemeal-work", Severity.WARNING)
def piecemeal_work(seen: Observation) -> Iterator[Finding]:
    """Many single elements are taken, or set, at one line of a step, where one operation would do.

    Each is an operation of its own, or even an evaluation: the step takes as long as Python takes for them. So do rows
    of a batch that a model is given one by one: a few of them are given to it together, which is to return the same.

    Example: `mx.stack([data[i] for i in indices])` over a batch of thousands; `batch[r, c] = token`
    for every token; `for x in batch: losses.append(loss(model(x)))`.

    Use instead: `data[mx.array(indices)]`; batches made with NumPy; one call with all rows, or `mx.vmap`;
    `scores[:, None] - scores[None]` for all pairs.
    """
    for fact, at in seen.facts(RowByRow):
        message = f"{fact.model} is called {fact.times:,} times in one gradient call, with one row of the "
        message += f"batch each: given {fact.together} of them together, it returned the same"
        severity = Severity.WARNING if fact.times >= ROWS else Severity.NOTE
        yield rule("MP111").at(message, at.file, at.line, severity=severity, calls=fact.times)
    for fact, at in seen.facts(Piecemeal):
        message = f"{fact.operations:,} elements are {'set' if fact.set else 'taken'} one by one in one step"
        yield rule("MP111").at(message, at.file, at.line, operations=fact.operations)


@finding("MP112", "promoted-dtype", Severity.WARNING)
def promoted_dtype(seen: Observation) -> Iterator[Finding]:
    """Float32 activations reach layers of half precision.

    A float32 array that meets a half-precision one lifts the result, and from there on every activation takes twice the
    memory, and every product the slow path. The weights stay as they are, so nothing shows it.

    Example: `x = x * mx.array(0.5)` in a bfloat16 model; float32 images into a float16 network.

    Use instead: a Python number (`x * 0.5`), or `.astype(x.dtype)`.
    """
    for fact, at in seen.facts(Promoted):
        what = "an operation lifts" if fact.by_operator else "the input holds"
        message = f"{what} activations to float32 before a layer of {fact.weight} weights"
        yield rule("MP112").at(message, at.file, at.line)
        return
