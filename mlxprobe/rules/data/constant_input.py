"""An input that never changes next to one that does."""

from __future__ import annotations

from collections.abc import Iterator

from mlxprobe.protocol.facts.data import InputStill
from mlxprobe.rules.registry import finding, rule
from mlxprobe.schema.enums import Severity
from mlxprobe.schema.observation import Observation
from mlxprobe.schema.record import Finding


@finding("MP320", "constant-input", Severity.NOTE)
def constant_input(seen: Observation) -> Iterator[Finding]:
    """One input is the same array at every sampled step, while another with as many rows always changes.

    Why it matters: noise, samples or masks that were drawn once, before the loop, are learned by heart.

    Example: `z = mx.random.normal((64, 16))` before the loop of a GAN.

    Use instead: draw inside the loop.

    Limits: a note: collocation points, for example, are meant to stay.
    """
    for fact, at in seen.facts(InputStill):
        message = f"{fact.argument} is one array at all {fact.looks} sampled steps, while {fact.beside} always changes"
        yield rule("MP320").at(message, at.file, at.line, severity=Severity.NOTE)
