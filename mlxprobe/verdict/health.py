"""The verdict on a watched program: what became of it, and its findings, in one outcome. Pure."""

from __future__ import annotations

import msgspec

from mlxprobe.schema.enums import Outcome, Severity
from mlxprobe.schema.record import ProgramRecord


def rated(row: ProgramRecord) -> ProgramRecord:
    """Return a row whose outcome and `as_expected` agree with its findings.

    A program that came to its end is `unhealthy` where a finding is an error or a warning.
    """
    if not row.completes:
        return msgspec.structs.replace(row, as_expected=False)
    grave = any(found.severity is not Severity.NOTE for found in row.findings)
    outcome = Outcome.UNHEALTHY if grave else Outcome.PASS
    return msgspec.structs.replace(row, outcome=outcome, as_expected=not grave)
