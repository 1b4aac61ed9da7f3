"""Copies of the trained model that stay behind."""

from __future__ import annotations

from collections.abc import Iterator

from mlxprobe.protocol.facts.updates import CopyUnmoved, FollowerUnmoved, SetToTheSame
from mlxprobe.rules.registry import finding, findings_from_facts
from mlxprobe.schema.enums import Severity
from mlxprobe.schema.observation import Observation
from mlxprobe.schema.record import Finding

NEVER = {
    FollowerUnmoved: "{called} still has the initial weights of the trained model after {updates} updates",
    SetToTheSame: "another model was given the numbers that it already has {times} times: it follows nothing",
}
UNKNOWN = {
    CopyUnmoved: "a second instance of the model still has its initial weights after {updates} updates: was it meant "
    "to be synced (target network)?",
}


@finding("MP220", "unsynced-copy", Severity.WARNING, explains=("MP306",))
def unsynced_copy(seen: Observation) -> Iterator[Finding]:
    """A second instance of the trained model, used at the steps, keeps the initial weights.

    Why it matters: a target network that is never updated gives targets of an untrained model; so does an average.

    Example: `target = Net(); target.update(net.parameters())` once, before the loop.

    Use instead: `target.update(net.parameters())` every N updates.

    Limits: a note where the name of the instance names neither a target nor an average.
    """
    yield from findings_from_facts(seen, "MP220", NEVER, Severity.WARNING)
    yield from findings_from_facts(seen, "MP220", UNKNOWN, Severity.NOTE)
