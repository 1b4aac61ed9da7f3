"""Outputs that depend on one position."""

from __future__ import annotations

from collections.abc import Iterator

from mlxprobe.protocol.facts.models import OnePlace
from mlxprobe.rules.registry import finding, rule
from mlxprobe.schema.enums import Severity
from mlxprobe.schema.observation import Observation
from mlxprobe.schema.record import Finding


@finding("MP338", "single-position", Severity.WARNING, explains=("MP201", "MP306"))
def single_position(seen: Observation) -> Iterator[Finding]:
    """The outputs depend on a single position of an input that has many.

    Why it matters: the rest of the sequence is ignored.

    Example: `hidden[:, 0]` of a causal model, whose first position sees nothing else.

    Use instead: `hidden[:, -1]`.

    Limits: the model is called again, at a few steps, with single positions changed.
    """
    for fact, at in [one for one in seen.facts(OnePlace) if one[0].looks]:
        message = f"the output of {fact.model} depends only on position {fact.at} (0-based) of the {fact.of} of "
        message += fact.argument
        yield rule("MP338").at(message, at.file, at.line, looks=fact.looks)
