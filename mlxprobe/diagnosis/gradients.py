"""Findings about gradients and what becomes of them."""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterable, Iterator, Mapping
from pathlib import PurePath

from msgspec.structs import replace

from mlxprobe.protocol.facts.gradients import (
    FirstGradient,
    GradientFailed,
    GradientMissing,
    NothingToLearn,
    ZeroGradient,
)
from mlxprobe.protocol.facts.losses import NotFiniteOrigin
from mlxprobe.protocol.facts.models import ModulesUnowned
from mlxprobe.rules.registry import finding, listed, lower_rate, place, rule, seen_at
from mlxprobe.schema.enums import Severity
from mlxprobe.schema.losses import first_lasting
from mlxprobe.schema.observation import Observation
from mlxprobe.schema.record import Finding

EXPLODED = 1e3
NORMAL = 1.0  # a weight and a loss are about 1: at `EXPLODED` a thousandth of a weight is worth all of the loss
LEAP = 10.0  # weights are about 1, or less
DIED = (
    ", `optim.clip_grad_norm(grads, max_norm)`, or an activation that shuts no unit for good, "
    "such as `nn.leaky_relu` or `nn.gelu`: `nn.relu` passes nothing back once all of a layer's units are below zero. "
    "Where a router passes a part by, a term of the loss that balances what it chooses."
)
CUT_OFF = (
    "a path to the loss that passes gradients back: no `stop_gradient`, argmax, comparison, rounding, NumPy or whole "
    "numbers on the way, and no factor that is always zero; `freeze()` what is not to be trained. Where a router "
    "passes a part by, a term of the loss that balances what it chooses."
)
OF_DIFFERENCES = (
    "nothing, where the loss is of differences of outputs: a bias that all outputs share cancels in it. Else "
    "`nn.value_and_grad(model, loss_fn)` of the model that the loss calls."
)
VISIBLE = "a name without an underscore, and a list in place of a tuple: MLX takes these for parts of the model."
UNPAID = "weights, masks or rewards that differ: where all answers are worth the same, none has an advantage."
ANOTHER = "`nn.value_and_grad(model, loss_fn)` of the model that the loss calls, and made again for every new model."
CALM, RISES_ARE_SURE = 10, 2  # starts; looks in a row above that


@finding("MP201", "zero-gradient", Severity.WARNING, needs="gradients")
def zero_gradient(seen: Observation) -> Iterator[Finding]:
    """All gradients, or those of one trainable parameter, are exactly zero or missing.

    The loss does not depend on that parameter: it is not used in the forward pass, or a `stop_gradient`, a copy or an
    integer conversion lies between; or it is multiplied with another that is all zeros too. Where it is all of them
    this is an error; where it is biases alone, or what other blocks of the same class do train, a note, and so it is
    where the loss is never evaluated and may be zero itself, or is: no reward so far, or the same for all.

    Example: `mx.value_and_grad(loss)(params)` with a loss that uses `model` and not `params`.

    Use instead: `nn.value_and_grad(model, loss_fn)`; `freeze()` what is not to be trained; where a router passes a part
    by, a term of the loss that balances what it chooses.
    """
    for fact, at in seen.facts(ZeroGradient):
        if not fact.count:
            continue
        spare = fact.count == fact.of or only_biases(fact.paths) or fact.spare
        if fact.count == fact.of:
            message, severity = f"all {fact.of} gradients are exactly zero", Severity.ERROR
            if not fact.known:
                message, severity = f"{message}, and so may be their loss, which is not evaluated", Severity.NOTE
        else:
            share = f"all {fact.own}" if fact.own == fact.count else f"{fact.count} of {fact.own or fact.of}"
            message = f"{share} gradients are exactly zero: {listed(fact.paths)}"
            severity = Severity.NOTE if spare else Severity.WARNING
        cut = f"; {fact.between} blocks the gradient" if fact.between else ""
        died = fact.alive and not cut
        message += f"; at step {fact.alive}, but at no later sampled step, one of them was not" if died else ""
        stranger = fact.stranger
        other = f": the loss calls another {stranger} than the one that the gradient is taken of" if stranger else ""
        message += cut + other + seen_at(fact)
        told = rule("MP201").at(
            message, at.file, at.line, severity=severity, zero=fact.count, gradients=fact.own or fact.of
        )
        biases = OF_DIFFERENCES if fact.count < fact.of and only_biases(fact.paths) else ""
        kept = biases if spare else CUT_OFF
        yield replace(told, instead=ANOTHER if stranger else lower_rate(seen) + DIED if died else kept)
    for fact, at in seen.facts(NothingToLearn):
        message = f"all gradients are exactly zero, and so is the loss, at all {fact.looks} looks"
        message += f"; so is {listed(fact.zero)}, which it is given" if fact.zero else ""
        found = rule("MP201").at(message, at.file, at.line, severity=Severity.NOTE)
        yield replace(found, instead=UNPAID) if fact.zero else found
    for fact, at in seen.facts(GradientMissing):
        message = f"trainable parameters get no gradient: {listed(fact.paths)}"
        yield rule("MP201").at(message, at.file, at.line, missing=fact.count)
    for fact, at in seen.facts(ModulesUnowned):
        message = f"{listed(fact.paths)}: modules in a tuple or behind an underscore are no part of the model"
        found = rule("MP201").at(message, at.file, at.line, severity=Severity.NOTE)
        yield replace(found, instead=VISIBLE)


def only_biases(paths: Iterable[str]) -> bool:
    """Tell whether all names are of biases: a loss of differences, such as a Wasserstein critic's, knows none."""
    return all(path.rpartition(".")[2] == "bias" for path in paths)


@finding("MP208", "exploding-gradients", Severity.WARNING, needs="gradients")
def exploding_gradients(seen: Observation) -> Iterator[Finding]:
    """The gradients grow without bound.

    Each step overshoots further than the last, up to infinity: the largest gradient comes to a thousand times what it
    was at the start, or a thousand where that was less than one, and keeps rising. Gradients that begin near zero, as
    with adapters or inputs of zeros, are not reported when they become normal. One update may be
    enough, where the rate times the largest gradient is many times what a weight is.

    Example: a learning rate that is too large; sums in place of means; no clipping.

    Use instead: a smaller learning rate, and `optim.clip_grad_norm(grads, max_norm)`.
    """
    sizes = [(step.n, step.gradient) for step in seen.steps if step.gradient is not None]
    breaks = any(not math.isfinite(one.value) for one in seen.losses)
    start = statistics.median(size for _, size in sizes[: 1 if breaks and len(sizes) < 4 else 3]) if sizes else 0.0
    climb: list[float] = []
    for k, (step, size) in enumerate(sizes, 1):
        climb = [*climb, size] if size > CALM * start else []  # a spike has calm looks on both sides
        ends = breaks and k == len(sizes) and size > EXPLODED  # what came next was not finite
        rises = ends or (bool(climb) and size > CALM * climb[0])  # else it has come to another level
        if (
            start
            and len(climb) + ends >= RISES_ARE_SURE
            and rises
            and size == max(climb) > EXPLODED * max(start, NORMAL)
        ):
            message = (
                f"the largest element of a sampled gradient is {size:.3g} at step {step}, after {start:.3g} at the "
            )
            message += "start"
            yield rule("MP208").at(message, *place(seen, FirstGradient), step=step, largest=size, start=start)
            return
    yield from _leap(seen, dict(sizes))


def _leap(seen: Observation, sizes: Mapping[int, float]) -> Iterator[Finding]:
    """Tell of one update that is followed by an overflow, and had moved a weight further than any is large."""
    bad = first_lasting(seen)
    overflows = any(one.kind == "overflow" and one.dtype == "float32" for one, _ in seen.facts(NotFiniteOrigin))
    plain = len(seen.sheet.optimizers) == 1 and seen.sheet.optimizers[0].name == "SGD" and not seen.sheet.clip_norm
    if bad is None or not (overflows and plain):
        return
    step = bad.step - 1
    rate = dict(seen.sheet.optimizers[0].rates).get(step, 0.0)
    moved = rate * sizes.get(step, 0.0)
    if moved > LEAP:
        message = (
            f"the largest gradient of step {step} is {sizes[step]:.3g}: at a rate of {rate:.3g} its update moves a "
        )
        message += f"weight by {moved:.3g}, and the next loss is not finite"
        yield rule("MP208").at(message, *place(seen, FirstGradient), step=step, largest=sizes[step])


@finding("MP209", "swallowed-gradient-error")
def swallowed_gradient_error(seen: Observation) -> Iterator[Finding]:
    """The gradient call raises, and training goes on.

    A fallback that computes the loss alone prints plausible numbers and never trains.

    Example: `try: loss, grads = loss_and_grad(model, batch)` with `except: loss = loss_fn(model, batch)`.

    Use instead: let the exception end the run.
    """
    failed = [*seen.every(GradientFailed)]
    last = max((at.count for _, at in failed), default=0)
    if last > 1 or (failed and seen.raised is None and seen.finished):
        fact, at = failed[-1]
        if last == 1 and not any(step.n > at.step for step in seen.steps):
            return  # no gradient was asked for after it
        file, _, line = fact.at.rpartition(":")
        where = f" at {PurePath(file).name}:{line}" if file and (file, line) != (at.file, str(at.line)) else ""
        raised = (
            f"raised an exception {last} times, the last of them {fact.type}" if last > 1 else f"raised {fact.type}"
        )
        message = f"the gradient call {raised}{where}, and training went on: {fact.message}"
        yield rule("MP209").at(message, at.file, at.line, times=last)
