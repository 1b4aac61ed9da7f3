"""Updates that 16-bit weights round away."""

from __future__ import annotations

from collections.abc import Iterator

from mlxprobe.protocol.facts.losses import Supervision
from mlxprobe.protocol.facts.updates import UpdatesRoundedAway
from mlxprobe.rules.registry import finding, findings_from_facts
from mlxprobe.schema.enums import Severity
from mlxprobe.schema.losses import fall
from mlxprobe.schema.observation import Observation
from mlxprobe.schema.record import Finding

FALLS = 0.9  # of the first readings
LOST = {
    UpdatesRoundedAway: "{share:.0%} of the sampled elements of the largest {dtype} matrices stay the same to the last "
    "bit at each update, and those that change are the small ones ({moved:.1g} against {stayed:.1g}): rounding removes "
    "the rest",
}


@finding("MP225", "update-underflow", Severity.WARNING, explains=("MP306",))
def update_underflow(seen: Observation) -> Iterator[Finding]:
    """Most elements of 16-bit weights stay the same to the last bit, and those that change are the small ones.

    Why it matters: a 16-bit weight rounds an update away that is less than a four-hundredth of it.

    Example: `model.set_dtype(mx.bfloat16)` and Adam with a rate of 1e-5.

    Use instead: float32 weights, of which 16-bit copies are made at each step; or a larger rate.

    Limits: a note where the loss falls, and for losses without targets, which need not fall.
    """
    path = fall(seen)
    rewarded = any(not one.supervised for one, _ in seen.facts(Supervision))
    falls = rewarded or (path is not None and path[1] < FALLS * path[0])
    yield from findings_from_facts(seen, "MP225", LOST, Severity.NOTE if falls else Severity.WARNING)
