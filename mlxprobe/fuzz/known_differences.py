"""Differences that are known and accepted, each with its reason: a table, so that nothing is dropped in silence."""

from __future__ import annotations

import fnmatch
from typing import NamedTuple

from mlxprobe.fuzz.discrepancy import Discrepancy


class Accepted(NamedTuple):
    """Of which operation (a glob), by which oracle, how large at most (see `Discrepancy.excess`), and why."""

    operation: str
    oracle: str
    kind: str
    excess: float
    reason: str


TABLE = (
    Accepted(
        "erf", "value", "numbers", 40.0, "MLX approximates erf by a polynomial: off by up to 6e-7, also near zero"
    ),
    Accepted("erf", "float64", "numbers", 40.0, "MLX approximates erf by a polynomial, in float64 the same one"),
)


def reason(found: Discrepancy) -> str:
    """Return why a difference is accepted; empty where it is not."""
    return next((
        one.reason for one in TABLE
        if fnmatch.fnmatchcase(found.operation, one.operation)
        and (found.oracle, found.kind) == (one.oracle, one.kind) and found.excess <= one.excess
    ), "")  # fmt: skip
