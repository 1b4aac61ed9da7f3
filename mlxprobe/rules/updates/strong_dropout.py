"""Dropout that removes nearly all."""

from __future__ import annotations

from collections.abc import Iterator

from mlxprobe.protocol.facts.models import DroppedOut
from mlxprobe.rules.registry import finding, listed, rule, seen_at
from mlxprobe.rules.rewriting import with_argument
from mlxprobe.schema.enums import Severity
from mlxprobe.schema.observation import Observation
from mlxprobe.schema.record import Finding

HARDLY = 0.15 + 1e-6  # of the elements, kept by dropout


@finding(
    "MP227",
    "strong-dropout",
    Severity.WARNING,
    explains=("MP306",),
    rewrite=with_argument("p", 0, "0.1", "Dropout", "Dropout2d", "Dropout3d"),
)
def strong_dropout(seen: Observation) -> Iterator[Finding]:
    """Dropout keeps a quarter of the elements or less.

    Why it matters: `nn.Dropout(p)` takes the share that it drops; other libraries take the share that they keep.

    Example: `nn.Dropout(0.9)`, where 0.9 is to be kept.

    Use instead: `nn.Dropout(0.1)`.

    Limits: a note above 0.15.
    """
    for fact, at in seen.facts(DroppedOut):
        message = f"dropout ({listed(fact.paths)}) sets {1 - fact.kept:.0%} of its input to zero: is that the share "
        message += f"that is to be kept?{seen_at(fact)}"
        severity = Severity.WARNING if fact.kept <= HARDLY else Severity.NOTE
        yield rule("MP227").at(message, at.file, at.line, severity=severity, kept=fact.kept)
