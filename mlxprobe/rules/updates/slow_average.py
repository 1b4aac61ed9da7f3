"""Averages of weights that lag far behind."""

from __future__ import annotations

from collections.abc import Iterator

from mlxprobe.protocol.facts.updates import FollowerSlow
from mlxprobe.rules.registry import finding, findings_from_facts
from mlxprobe.schema.enums import Severity
from mlxprobe.schema.observation import Observation
from mlxprobe.schema.record import Finding

SLOW = {
    FollowerSlow: "the weights of a second instance have come {way:.0%} of the way that the trained weights have come "
    "in {updates} updates: the average is too slow for that number of updates, or is updated too seldom",
}


@finding("MP221", "slow-average", Severity.WARNING)
def slow_average(seen: Observation) -> Iterator[Finding]:
    """A model that is set to the end of the run has come less than a fifth of the way of the trained one.

    Why it matters: the averaged weights, which are evaluated and saved, are close to the initial ones.

    Example: `ema.update(tree_map(lambda e, w: 0.9999 * e + 0.0001 * w, …))` over 600 updates, or once per epoch.

    Use instead: an average at each update, whose decay fits their number: 0.99 for some hundreds.

    Limits: judged after 500 updates.
    """
    yield from findings_from_facts(seen, "MP221", SLOW)
