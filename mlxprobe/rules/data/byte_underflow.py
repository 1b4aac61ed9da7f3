"""Arithmetic on bytes that wraps around."""

from __future__ import annotations

from collections.abc import Iterator

from mlxprobe.protocol.facts.data import BytesWrapAround
from mlxprobe.rules.registry import finding, findings_from_facts
from mlxprobe.schema.enums import Severity
from mlxprobe.schema.observation import Observation
from mlxprobe.schema.record import Finding

WRAPPED = {
    BytesWrapAround: "{share:.0%} of these uint8 subtractions underflow and wrap to 255",
}


@finding("MP334", "byte-underflow", Severity.WARNING, explains=("MP306",))
def byte_underflow(seen: Observation) -> Iterator[Finding]:
    """Pixels are centred while they are bytes.

    Why it matters: uint8 has no numbers below zero, so that dark pixels become bright ones.

    Example: `(pixels - 128) / 128` of uint8.

    Use instead: `pixels.astype(mx.float32)` before the subtraction.

    Limits: seen where the result becomes a floating-point number.
    """
    yield from findings_from_facts(seen, "MP334", WRAPPED)
