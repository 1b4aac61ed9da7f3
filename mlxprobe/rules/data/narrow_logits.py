"""Logits that cannot come apart."""

from __future__ import annotations

from collections.abc import Iterator

from mlxprobe.protocol.facts.losses import LogitsNarrow
from mlxprobe.rules.registry import finding, rule
from mlxprobe.schema.enums import Severity
from mlxprobe.schema.observation import Observation
from mlxprobe.schema.record import Finding


@finding("MP340", "narrow-logits", Severity.WARNING, explains=("MP201", "MP306"))
def narrow_logits(seen: Observation) -> Iterator[Finding]:
    """The logits of a row stay within 0.3 of each other.

    Why it matters: no class can stand out, and the loss stays near chance.

    Example: cosine similarities that are multiplied by a temperature of 0.07 where they are to be divided by it.

    Use instead: `similarity / temperature`.

    Limits: eight classes or more, for two hundred steps.
    """
    for fact, at in seen.facts(LogitsNarrow):
        message = f"the {fact.classes} logits of a row are within {fact.width:.2g} of each other at all {fact.looks} "
        message += f"sampled steps, the last of them after update {fact.last} of {fact.updates}: no class can "
        message += "win. Are they multiplied by a temperature that they are to be divided by?"
        yield rule("MP340").at(message, at.file, at.line, width=fact.width, classes=fact.classes)
