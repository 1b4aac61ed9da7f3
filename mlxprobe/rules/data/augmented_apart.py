"""Images that are flipped without their masks."""

from __future__ import annotations

from collections.abc import Iterator

from mlxprobe.protocol.facts.data import TurnedApart
from mlxprobe.rules.registry import finding, rule
from mlxprobe.schema.enums import Severity
from mlxprobe.schema.observation import Observation
from mlxprobe.schema.record import Finding


@finding("MP325", "augmented-apart", Severity.WARNING, explains=("MP306",))
def augmented_apart(seen: Observation) -> Iterator[Finding]:
    """Images are flipped, and the masks or boxes that belong to them are not.

    Why it matters: half of the targets describe the mirror image of their input.

    Example: `x = x[:, :, ::-1]` with probability one half, while `mask` stays as it is.

    Use instead: flip both: `x, mask = x[:, :, ::-1], mask[:, :, ::-1]`.

    Limits: judged where both are rows of arrays that the program holds.
    """
    for fact, at in seen.facts(TurnedApart):
        message = f"rows of {fact.turned} are flipped and those of {fact.stays} are not, in {fact.rows} sampled rows"
        yield rule("MP325").at(message, at.file, at.line)
