"""The record's schema: which version is written, what each changed, and how older ones are read.

Version 1: the first.
Version 2: a user's program has `program` and no `scenario`, `variant`, `role` or `expects`; `findings` is always there,
    also empty; `sheet`, `remarks`, `repeats`, `worst_step`, `worst_step_s`, `steps_s` and a place's `caller` are new.
Version 3: `programs` has a row for each process of a watched program that trains, by rank; `process`, `collectives` and
    a finding's `ranks` are new.
Version 4: a row's `ranks`, `ended`, `finished`, `silence`, `evaluating_s`, `compared` and `clock_s` are new: how a
    rank waits, and what `mlxprobe merge` compares ranks of several records by; and its `host`, where it ran elsewhere.
Version 5: the rules that could not be judged are `unchecked`, and no findings; a watched program with errors or
    warnings has the outcome `unhealthy` and is not `as_expected`; `accepted` counts what a baseline has; a user's
    program that was expected to pass has `expects`.
Version 6: `compared.facts` replaces `compared.prints`: a fact has the name of its type and typed fields. Ranks of older
    records are not compared again.
"""

from __future__ import annotations

from typing import Any

SCHEMA_VERSION = 6
MATRIX_SCHEMA_VERSION = 1  # of what stands around its records, each of which tells its own version
USERS = "programs"  # the scenario that version 1 gave to the user's own programs
HEALTHY, HOSTILE, OVERHEAD = SELFTEST = ("healthy-trainers", "hostile-children", "overhead")  # no scenarios
ABSENT = ("scenario", "variant", "role", "claims", "expects")


def current(record: Any) -> Any:
    """Return a record of any version that can be read as one of the present version; what is no record stays as it is.

    Args:
        record: the record as JSON has it.
    """
    if not isinstance(record, dict) or not isinstance(rows := record.get("programs"), list):
        return record
    if (version := record.get("schema_version")) not in range(1, SCHEMA_VERSION):
        return record
    if version == 1:
        rows = [_second(one) for one in rows]
    if version in range(1, 5):
        rows = [_fifth(one) for one in rows]
    return record | {"schema_version": SCHEMA_VERSION, "programs": rows}


def _second(row: Any) -> Any:
    if not isinstance(row, dict):
        return row
    row = {"findings": []} | row
    if row.get("scenario") != USERS:
        return row
    return {name: value for name, value in row.items() if name not in ABSENT} | {"program": row.get("variant")}


def _fifth(row: Any) -> Any:
    """Move the rules that could not be judged out of the findings, of a row and of its ranks' rows."""
    if not isinstance(row, dict):
        return row
    ranks = {"ranks": [_fifth(one) for one in row["ranks"]]} if isinstance(row.get("ranks"), list) else {}
    found = row.get("findings")
    if not isinstance(found, list) or not all(isinstance(one, dict) for one in found):
        return row | ranks
    gaps = [
        {"code": one.get("code"), "name": one.get("name"), "why": one.get("message"), "ranks": one.get("ranks", [])}
        for one in found
        if one.get("checked") is False
    ]
    return row | ranks | {"findings": [one for one in found if one.get("checked") is not False], "unchecked": gaps}
