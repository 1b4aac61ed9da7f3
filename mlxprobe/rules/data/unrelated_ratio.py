"""Old log-probabilities that belong to other rows."""

from __future__ import annotations

from collections.abc import Iterator

from mlxprobe.protocol.facts.losses import ProbabilityRatio
from mlxprobe.rules.registry import finding, rule
from mlxprobe.schema.enums import Severity
from mlxprobe.schema.observation import Observation
from mlxprobe.schema.record import Finding

ENOUGH_RATIOS, UNRELATED, HARDLY = 6, 0.2, 0.5  # sampled steps; their mean correlation, and the highest


@finding("MP319", "unrelated-ratio", Severity.NOTE)
def unrelated_ratio(seen: Observation) -> Iterator[Finding]:
    """A ratio `mx.exp(new - old)` is of log-probabilities that do not correlate.

    Why it matters: the old log-probabilities are of other rows than the new ones, and the policy update is noise.

    Example: `ratio = mx.exp(logp(model, states[order]) - old_logp)`, where `old_logp` is not permuted.

    Use instead: one index for both: `old_logp[order]`.

    Limits: a note: a policy that has moved far has a low correlation too.
    """
    for fact, at in seen.facts(ProbabilityRatio):
        if fact.looks >= ENOUGH_RATIOS and fact.mean < UNRELATED and fact.most < HARDLY:
            message = f"{fact.argument} is unrelated to what it is subtracted from: their correlation is "
            message += f"{fact.mean:.2f} over {fact.looks} sampled steps; do both belong to the same rows?"
            yield rule("MP319").at(message, at.file, at.line, severity=Severity.NOTE, correlation=fact.mean)
