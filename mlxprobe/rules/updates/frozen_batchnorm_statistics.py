"""Frozen batch normalisation whose statistics change."""

from __future__ import annotations

from collections.abc import Iterator

from mlxprobe.protocol.facts.models import FrozenStatisticsMoved, StatisticsUpdatedFrozen
from mlxprobe.rules.registry import finding, rule, seen_at
from mlxprobe.schema.enums import Severity
from mlxprobe.schema.observation import Observation
from mlxprobe.schema.record import Finding


@finding("MP230", "frozen-batchnorm-statistics", Severity.WARNING)
def frozen_batchnorm_statistics(seen: Observation) -> Iterator[Finding]:
    """The statistics of a frozen batch normalisation follow the new data.

    Why it matters: `freeze()` stops the weights and not the statistics; in training mode the layer computes with those
    of each batch.

    Example: `model.backbone.freeze()`, then `model.train()`.

    Use instead: `model.backbone.eval()` after each `model.train()`.

    Limits: a note; a warning where the statistics are more than a standard deviation from where they were.
    """
    for frozen, where in () if seen.has(FrozenStatisticsMoved) else seen.facts(StatisticsUpdatedFrozen):
        message = "frozen batch normalisation is in training mode: its statistics follow the new data" + seen_at(frozen)
        yield rule("MP230").at(message, where.file, where.line, severity=Severity.NOTE)
    for fact, at in seen.facts(FrozenStatisticsMoved):
        message = f"{fact.path} is frozen and in training mode: its running statistics have moved by {fact.moved:.1f} "
        message += f"standard deviations{seen_at(fact)}"
        yield rule("MP230").at(message, at.file, at.line, moved=fact.moved)
