"""Evaluation in training mode."""

from __future__ import annotations

from collections.abc import Iterator

from mlxprobe.protocol.facts.models import TrainingMode
from mlxprobe.rules.registry import finding, rule
from mlxprobe.schema.enums import Severity
from mlxprobe.schema.observation import Observation
from mlxprobe.schema.record import Finding


@finding("MP226", "training-mode-in-evaluation", Severity.WARNING)
def training_mode_in_evaluation(seen: Observation) -> Iterator[Finding]:
    """Dropout or batch normalisation is in training mode while the model is evaluated.

    Why it matters: the validation loss is noisy and too high, and batch statistics learn from the validation data.

    Example: a validation loop without `model.eval()`.

    Use instead: `model.eval()` before each validation, `model.train()` after it.

    Limits: dropout is judged where a validation loss is computed: a pass that computes outputs alone, such as an
    accuracy, is not. A mean over several draws of dropout is intended and not reported.
    """
    for fact, at in seen.facts(TrainingMode):
        message = f"{fact.kind} is in training mode where the model is evaluated, outside of any gradient call"
        yield rule("MP226").at(message, at.file, at.line)
