"""Two inputs that hold the same numbers."""

from __future__ import annotations

from collections.abc import Iterator

from mlxprobe.protocol.facts.data import InputsAlike
from mlxprobe.rules.registry import finding, rule, seen_at
from mlxprobe.schema.enums import Severity
from mlxprobe.schema.observation import Observation
from mlxprobe.schema.record import Finding


@finding("MP318", "identical-inputs", Severity.WARNING, explains=("MP201", "MP306"))
def identical_inputs(seen: Observation) -> Iterator[Finding]:
    """Two inputs hold the same numbers at every sampled step, and the same layers take both.

    Why it matters: two views of a row that are equal teach a contrastive model nothing; a loss that takes one from the
    other is zero.

    Example: `a, b = augment(x, key), augment(x, key)` with one key.

    Use instead: `one, other = mx.random.split(key)`, a key for each view.

    Limits: a note where different layers take the two inputs.
    """
    for fact, at in [one for one in seen.facts(InputsAlike) if one[0].looks]:
        message = f"{fact.one} and {fact.other} hold the same numbers at each of {fact.looks} sampled steps"
        message += ", and the same layers take both" if fact.shared else ""
        zero = "the loss subtracts one from the other, and the difference is zero"
        message += f": {zero if fact.void else 'are they two draws from one key?'}{seen_at(fact)}"
        severity = Severity.WARNING if fact.shared or fact.void else Severity.NOTE
        yield rule("MP318").at(message, at.file, at.line, severity=severity)
