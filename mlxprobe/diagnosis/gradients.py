"""Findings about gradients and what becomes of them."""

from __future__ import annotations

import math
from collections.abc import Iterator

from mlxprobe.diagnosis.registry import finding, rule
from mlxprobe.model import Finding, Observation

ENOUGH_STEPS = 3


@finding("MP205", "update-not-applied")
def update_not_applied(seen: Observation) -> Iterator[Finding]:
    """Gradients are computed, and the parameters never change.

    Computing gradients changes nothing, and `apply_gradients` returns the new parameters without storing them.

    Example: `optimizer.apply_gradients(grads, model)` with its result dropped, or no optimizer call at all.

    Use instead: `optimizer.update(model, grads)`.
    """
    for fact in seen.facts:
        if fact.name == "update not applied":
            message = "apply_gradients returned new parameters that no module took over"
            yield rule("MP205").at(message, fact.file, fact.line, steps=seen.steps[-1].n if seen.steps else 0)
        elif fact.name == "gradients unused" and seen.raised is None:
            calls = fact.detail["gradients"]
            message = f"{calls} gradient calls and not one update"
            yield rule("MP205").at(message, fact.file, fact.line, gradients=float(str(calls)))


@finding("MP207", "non-finite")
def non_finite(seen: Observation) -> Iterator[Finding]:
    """A loss is NaN or infinite.

    From then on every parameter that the gradient reaches is NaN too; skipping such batches does not bring it back.

    Example: `mx.log(mx.sum(mx.exp(logits), axis=-1))` with large logits.

    Use instead: `nn.losses.cross_entropy`, which subtracts the maximum; stop at the first value that is not finite.
    """
    bad = next((one for one in seen.losses if not math.isfinite(one.value)), None)
    if bad is not None:
        yield rule("MP207").at(f"the loss of step {bad.step} is {bad.value}", step=bad.step)


@finding("MP209", "swallowed-gradient-error")
def swallowed_gradient_error(seen: Observation) -> Iterator[Finding]:
    """The gradient call raises, and training goes on.

    A fallback that computes the loss alone prints plausible numbers and never trains.

    Example: `try: loss, grads = loss_and_grad(model, batch)` with `except: loss = loss_fn(model, batch)`.

    Use instead: let the exception end the run.
    """
    failed = [fact for fact in seen.facts if fact.name == "gradient failed"]
    last = max((fact.count for fact in failed), default=0)
    if last > 1 or (failed and seen.raised is None and seen.finished):
        fact = failed[-1]
        message = f"the gradient call raised {fact.detail['type']} and training went on: {fact.detail['message']}"
        yield rule("MP209").at(message, fact.file, fact.line, times=last)
