"""Models that answer otherwise in evaluation mode."""

from __future__ import annotations

from collections.abc import Iterator

from mlxprobe.protocol.facts.models import ModesDiffer
from mlxprobe.rules.registry import finding, rule
from mlxprobe.schema.enums import Severity
from mlxprobe.schema.observation import Observation
from mlxprobe.schema.record import Finding


@finding("MP229", "modes-differ", Severity.WARNING)
def modes_differ(seen: Observation) -> Iterator[Finding]:
    """In evaluation mode the mean outputs for the same rows are three standard deviations from those in training mode.

    Why it matters: one of the two modes is wrong: dropout by hand that does not divide by the share that it keeps, or
    statistics that are not those of the data.

    Example: `x * mask` in training, `x` in evaluation, with a mask that keeps half.

    Use instead: `x * mask / keep` in training.

    Limits: judged after a hundred steps.
    """
    for fact, at in seen.facts(ModesDiffer):
        if fact.looks:
            message = f"in evaluation mode {fact.model} returns other outputs: for the same rows their means are "
            message += f"{fact.apart:.1f} standard deviations from those in training mode"
            yield rule("MP229").at(message, at.file, at.line, apart=fact.apart)
