"""Findings about the data that layers are given."""

from __future__ import annotations

from collections.abc import Iterator

from mlxprobe.protocol.facts.data import IdOutOfRange
from mlxprobe.protocol.facts.losses import LossShare
from mlxprobe.rules.registry import finding, rule
from mlxprobe.schema.enums import Severity
from mlxprobe.schema.observation import Observation
from mlxprobe.schema.record import Finding

ENOUGH_LOOKS = 2


@finding("MP304", "id-out-of-range", needs="ids")
def id_out_of_range(seen: Observation) -> Iterator[Finding]:
    """An index is beyond the embedding or the logits.

    MLX checks no bounds: it reads whatever lies there, and the loss looks plausible. An id below zero counts from the
    end of the table: a mark such as -100, which other frameworks leave out of the loss, is trained as a class like any
    other. That is a warning, where positions with such a mark carry loss.

    Example: a tokenizer with 32,001 ids before an embedding of 32,000 rows; `cross_entropy(logits, labels)` with labels
    of -100.

    Use instead: as many rows as the tokenizer has ids; a mask for ids that mean "ignore".
    """
    for fact, at in seen.facts(IdOutOfRange):
        worst = fact.high if fact.high >= fact.limit else fact.low
        message = f"{fact.kind} id {worst} is beyond a table of {fact.limit}"
        yield rule("MP304").at(message, at.file, at.line, id=worst, table=fact.limit)
    for fact, at in seen.facts(LossShare):
        mark, classes = fact.mark, fact.classes
        if fact.marked >= ENOUGH_LOOKS:
            read = f"class {classes + mark}" if classes + mark >= 0 else "memory before the first class"
            message = f"targets of {mark} carry loss, and count from the end: MLX reads {read} of {classes} classes"
            yield rule("MP304").at(message, at.file, at.line, severity=Severity.WARNING, id=mark, table=classes)
