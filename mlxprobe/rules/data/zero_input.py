"""Inputs of zeros."""

from __future__ import annotations

from collections.abc import Iterator

from mlxprobe.protocol.facts.models import InputZero
from mlxprobe.rules.registry import finding, rule
from mlxprobe.schema.enums import Severity
from mlxprobe.schema.observation import Observation
from mlxprobe.schema.record import Finding


@finding("MP337", "zero-input", Severity.WARNING, explains=("MP201", "MP306"))
def zero_input(seen: Observation) -> Iterator[Finding]:
    """An input is zero in all rows, although it seems to come from numbers that differ.

    Why it matters: the model gets nothing of what the input is to say.

    Example: `t // steps` of whole numbers, before the model is called with it.

    Use instead: `t / steps`.

    Limits: reported next to whole numbers that are given for each row, differ, and are no targets.
    """
    for fact, at in [one for one in seen.facts(InputZero) if one[0].looks]:
        message = f"{fact.input} is zero in all rows at {fact.looks} sampled calls of {fact.model}: is it computed "
        message += f"from {fact.beside}, which differs?"
        yield rule("MP337").at(message, at.file, at.line, looks=fact.looks)
