"""Gradients that are never applied."""

from __future__ import annotations

from collections.abc import Iterator

from msgspec.structs import replace

from mlxprobe.protocol.facts.losses import LossesSampled
from mlxprobe.protocol.facts.updates import FirstUpdate, GradientsUnused, ParametersUnchanged
from mlxprobe.rules.registry import finding, place, rule
from mlxprobe.schema.enums import Severity
from mlxprobe.schema.metrics import still
from mlxprobe.schema.observation import Observation
from mlxprobe.schema.record import Finding

APPLY = "`optimizer.update(model, grads)`; where the update is written by hand, `model.update(parameters)` after it."


@finding("MP205", "update-not-applied", explains=("MP204", "MP306"))
def update_not_applied(seen: Observation) -> Iterator[Finding]:
    """Gradients are computed, and the parameters never change.

    Why it matters: nothing is learned. Computing gradients changes nothing, and `apply_gradients` returns the new
    parameters without storing them.

    Example: `optimizer.apply_gradients(grads, model)` with its result dropped, or no optimizer call at all.

    Use instead: `optimizer.update(model, grads)`.

    Limits: a note where no optimizer was made and each loss is the same: the program may measure the time that
    gradients take.
    """
    at_zero = any(one.rates and not one.rates[-1][1] for one in seen.sheet.optimizers)  # MP210 reports that
    for fact, at in seen.facts(ParametersUnchanged):
        if fact.looks and not at_zero:
            message = (
                f"the parameters are the same at {fact.looks} sampled steps, although their gradients are not zero"
            )
            several = len({one.stream for one in seen.losses}) > 1
            site = (at.file, at.line) if several else place(seen, FirstUpdate)
            yield rule("MP205").at(message, *(site if site[1] else (at.file, at.line)))
            return
    yield from _never_applied(seen) if seen.raised is None else ()


def _never_applied(seen: Observation) -> Iterator[Finding]:
    """Report gradient calls without any update; a warning where the program seems to train."""
    for fact, at in seen.facts(GradientsUnused):
        message = f"{fact.gradients} gradient calls and not one update"
        read = bool(seen.losses) and not any(one.alone for one, _ in seen.facts(LossesSampled))
        trains = (bool(seen.losses) and fact.optimizers) or (read and not still(seen))
        severity = Severity.WARNING if trains else Severity.NOTE
        found = rule("MP205").at(message, at.file, at.line, severity=severity, gradients=fact.gradients)
        yield replace(found, instead=APPLY)
