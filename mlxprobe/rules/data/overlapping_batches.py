"""Batches that begin one row after another."""

from __future__ import annotations

from collections.abc import Iterator

from mlxprobe.protocol.facts.data import BatchesOverlap
from mlxprobe.rules.registry import finding, rule
from mlxprobe.schema.enums import Severity
from mlxprobe.schema.observation import Observation
from mlxprobe.schema.record import Finding


@finding("MP321", "overlapping-batches", Severity.WARNING, explains=("MP306",))
def overlapping_batches(seen: Observation) -> Iterator[Finding]:
    """Each batch begins one row after the batch before it.

    Why it matters: the run sees a small part of the data, each row many times in a row.

    Example: `for i in range(steps): x[i : i + 32]`.

    Use instead: `for i in range(0, len(x), 32): x[i : i + 32]`, or rows drawn at random.

    Limits: judged where the batch consists of rows of an array that the program holds.
    """
    for fact, at in seen.facts(BatchesOverlap):
        message = f"each batch begins one row after the batch before it: {fact.seen} of the {fact.rows} rows of "
        message += f"{fact.whole} are used"
        yield rule("MP321").at(message, at.file, at.line)
