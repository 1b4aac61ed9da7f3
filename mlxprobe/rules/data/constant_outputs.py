"""Outputs that are the same for all rows."""

from __future__ import annotations

from collections.abc import Iterator

from mlxprobe.protocol.facts.gradients import ZeroGradient
from mlxprobe.protocol.facts.losses import LogitsAlike
from mlxprobe.protocol.facts.models import OutputsAlike
from mlxprobe.rules.registry import finding, rule
from mlxprobe.schema.enums import Severity
from mlxprobe.schema.observation import Observation
from mlxprobe.schema.record import Finding


@finding("MP341", "constant-outputs", Severity.WARNING, explains=("MP201", "MP306"))
def constant_outputs(seen: Observation) -> Iterator[Finding]:
    """The outputs hardly differ from row to row, although the targets do.

    Why it matters: nothing of the inputs reaches the outputs; the model predicts a constant.

    Example: inputs that are divided by 255 twice; a hidden layer whose units are all below zero.

    Use instead: compare the deviation of the input, of each layer and of the output over the rows: the first that is
    zero loses the information.

    Limits: judged after a hundred steps. Not reported where half of the gradients are zero, which says why.
    """
    shut = any(2 * one.count >= one.of for one, _ in seen.facts(ZeroGradient) if one.count)
    for logits, where in seen.facts(LogitsAlike) if not shut else ():
        message = f"the logits of all rows are alike at {logits.looks} sampled steps, the last in the second half of "
        message += f"the run: they differ by {logits.spread:.2g} from row to row, and the targets have several classes"
        yield rule("MP341").at(message, where.file, where.line, spread=logits.spread)
    for fact, at in [one for one in seen.facts(OutputsAlike) if one[0].looks]:
        message = f"the output of {fact.model} differs from row to row by {fact.deviation:.2g}, and the targets by "
        message += f"{fact.targets:.2g}: all inputs get the same answer"
        yield rule("MP341").at(message, at.file, at.line, deviation=fact.deviation, targets=fact.targets)
