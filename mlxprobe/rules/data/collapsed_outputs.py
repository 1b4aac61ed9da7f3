"""Representations that have collapsed."""

from __future__ import annotations

from collections.abc import Iterator

from mlxprobe.protocol.facts.models import OutputsCollapsed
from mlxprobe.rules.registry import finding, rule
from mlxprobe.schema.enums import Severity
from mlxprobe.schema.observation import Observation
from mlxprobe.schema.record import Finding


@finding("MP339", "collapsed-outputs", Severity.WARNING, explains=("MP201", "MP306"))
def collapsed_outputs(seen: Observation) -> Iterator[Finding]:
    """Outputs of different rows have become alike.

    Why it matters: a loss that asks for likeness alone is minimal when all outputs are equal.

    Example: `mx.mean((model(a) - model(b)) ** 2)` of two views, and nothing that keeps rows apart.

    Use instead: a term that keeps rows apart: negatives, a variance term, or `stop_gradient` on one side with a
    predictor on the other.

    Limits: outputs of eight numbers or more, that differ by less than a quarter of their size after some sixty steps,
    and differed more at first.
    """
    for fact, at in [one for one in seen.facts(OutputsCollapsed) if one[0].looks]:
        message = f"the outputs of {fact.model} for different rows have become alike: they differ by {fact.now:.1%} of "
        message += f"their size, and by {fact.first:.0%} at first"
        yield rule("MP339").at(message, at.file, at.line, now=fact.now, first=fact.first)
