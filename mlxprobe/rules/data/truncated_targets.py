"""Targets of a regression that lost their fractions."""

from __future__ import annotations

from collections.abc import Iterator

from mlxprobe.protocol.facts.data import TargetsCut
from mlxprobe.rules.registry import finding, rule
from mlxprobe.schema.enums import Severity
from mlxprobe.schema.observation import Observation
from mlxprobe.schema.record import Finding


@finding("MP324", "truncated-targets", Severity.WARNING, explains=("MP306",))
def truncated_targets(seen: Observation) -> Iterator[Finding]:
    """The targets of a squared error are numbers of an array without their fractions.

    Why it matters: a regression learns whole numbers.

    Example: `mx.array(y[rows].astype(np.int32))`, copied from a classifier.

    Use instead: `mx.array(y[rows].astype(np.float32))`.

    Limits: judged where the targets are rows of an array that the program holds.
    """
    for fact, at in seen.facts(TargetsCut):
        message = f"{fact.argument} holds {fact.whole} without its fractions, and the loss is a squared error: "
        message += f"{fact.cut} of {fact.rows} sampled rows are truncated"
        yield rule("MP324").at(message, at.file, at.line)
