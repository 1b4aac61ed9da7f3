"""Inputs that change nothing."""

from __future__ import annotations

from collections.abc import Iterator

from mlxprobe.protocol.facts.models import InputIdle
from mlxprobe.rules.registry import finding, listed, rule
from mlxprobe.schema.enums import Severity
from mlxprobe.schema.observation import Observation
from mlxprobe.schema.record import Finding


@finding("MP312", "idle-input", Severity.WARNING, explains=("MP201", "MP306"))
def idle_input(seen: Observation) -> Iterator[Finding]:
    """An input makes no difference to the outputs of the model.

    Why it matters: its information is lost on the way: by a rounding, a mask that hides all of it, a result that is not
    used.

    Example: `t // steps` of whole numbers, which is 0 for all of them.

    Use instead: `t / steps`.

    Limits: the model is called again, at a few steps, with an input that is equal in all rows; reported where its
    outputs are the same to the bit.
    """
    for fact, at in [one for one in seen.facts(InputIdle) if one[0].looks]:
        message = f"{listed(fact.names)} makes no difference to the outputs of {fact.model}, at {fact.looks} sampled "
        message += "steps"
        yield rule("MP312").at(message, at.file, at.line, looks=fact.looks)
