"""Evaluation on data of another scale."""

from __future__ import annotations

from collections.abc import Iterator

from mlxprobe.protocol.facts.data import OtherScale
from mlxprobe.rules.registry import finding, rule
from mlxprobe.schema.enums import Severity
from mlxprobe.schema.observation import Observation
from mlxprobe.schema.record import Finding

CENTRED, SHIFTED = 0.3, 2.0  # mean, in deviations
FAR, MANY = 10.0, 8  # deviations of the training's; numbers of a row


@finding("MP311", "evaluation-scale", Severity.NOTE)
def evaluation_scale(seen: Observation) -> Iterator[Finding]:
    """A model is called outside of gradient calls with numbers of another scale than in training.

    Why it matters: a score on data that were not prepared in the same way says little about the model.

    Example: `(x / 255 - mean) / deviation` for training, `x / 255` for validation.

    Use instead: one function that prepares the data of both.

    Limits: a note where the deviations differ by more than a factor of four, for that may be what is tested; a warning
    where the data are centred in training alone.
    """
    for fact, at in seen.facts(OtherScale):
        message = f"outside of gradient calls the model gets numbers of {fact.m:.3g} ± {fact.d:.3g}, and in training "
        message += f"of {fact.mean:.3g} ± {fact.deviation:.3g}"
        far = abs(fact.m) > SHIFTED * fact.d or (abs(fact.m) > FAR * fact.deviation and fact.numbers >= MANY)
        severity = Severity.WARNING if abs(fact.mean) < CENTRED * fact.deviation and far else Severity.NOTE
        yield rule("MP311").at(message, at.file, at.line, severity=severity, looks=fact.looks)
