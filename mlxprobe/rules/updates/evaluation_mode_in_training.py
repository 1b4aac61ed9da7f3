"""Training in evaluation mode."""

from __future__ import annotations

from collections.abc import Iterator

from mlxprobe.protocol.facts.models import EvaluationMode
from mlxprobe.rules.registry import finding, listed, rule, seen_at
from mlxprobe.schema.enums import Severity
from mlxprobe.schema.observation import Observation
from mlxprobe.schema.record import Finding


@finding("MP215", "evaluation-mode-in-training", Severity.WARNING)
def evaluation_mode_in_training(seen: Observation) -> Iterator[Finding]:
    """Dropout or batch normalisation is in evaluation mode while training.

    Why it matters: after `model.eval()` dropout does nothing, and batch statistics do not change, until `model.train()`
    is called. A compiled step keeps the mode that it was traced in.

    Example: `model.eval()` before the first validation, and no `model.train()` after it.

    Use instead: `model.train()` before the steps of each epoch, `model.eval()` before each validation.

    Limits: frozen parts may be in evaluation mode.
    """
    for fact, at in seen.facts(EvaluationMode):
        message = f"{fact.kind} ({listed(fact.paths)}) is in evaluation mode while training"
        message += f", since here{seen_at(fact)}" if fact.seen else ""
        yield rule("MP215").at(message, at.file, at.line)
