"""Targets beyond the range of the outputs."""

from __future__ import annotations

from collections.abc import Iterator

from mlxprobe.protocol.facts.losses import TargetsOutOfReach
from mlxprobe.rules.registry import finding, rule, seen_at
from mlxprobe.schema.enums import Severity
from mlxprobe.schema.observation import Observation
from mlxprobe.schema.record import Finding

ENOUGH_LOOKS = 3
ENDS = {"sigmoid": "0 and 1", "softmax": "0 and 1", "tanh": "-1 and 1", "relu": "0 and infinity"}


@finding("MP336", "unreachable-targets", Severity.WARNING, explains=("MP306",))
def unreachable_targets(seen: Observation) -> Iterator[Finding]:
    """Outputs of a sigmoid, softmax, tanh or ReLU are compared with targets outside their range.

    Why it matters: the loss cannot come near zero, and the activation saturates at its end.

    Example: `mse_loss(mx.sigmoid(out), standardised)`.

    Use instead: outputs without that activation, or targets within its ends.

    Limits: squared and absolute errors, where a tenth of the targets or more are outside at each sampled step.
    """
    for fact, at in seen.facts(TargetsOutOfReach):
        low, high, share = fact.low, fact.high, fact.share
        if fact.out == fact.looks >= ENOUGH_LOOKS:
            message = f"outputs end in a {fact.kind}, between {ENDS[fact.kind]}, and at each of {fact.looks} sampled "
            message += f"steps {share:.0%} or more of their targets are outside ({low:.3g} … {high:.3g} at the last)"
            yield rule("MP336").at(message + seen_at(fact), at.file, at.line, share=share, low=low, high=high)
