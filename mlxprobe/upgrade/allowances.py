"""Known regressions that a project accepts: `--allow` and `[tool.mlxprobe.allow]`."""

from __future__ import annotations

import fnmatch
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from mlxprobe.runner.programs import ASPECTS
from mlxprobe.schema.errors import UsageError
from mlxprobe.schema.observation import Value
from mlxprobe.settings.validators import shown
from mlxprobe.upgrade.diff import IMPORT, Comparison

RIGHT = "PROGRAM[:WHAT]=REASON is right"


class Allowance(Value, frozen=True):
    """An accepted regression of a program (a name or a glob), in one aspect (empty: in any), with reason and origin."""

    program: str
    what: str
    reason: str
    origin: str
    by_flag: bool = False  # given for this gate, so it must match a program that this gate runs


def ordered(given: Sequence[str]) -> list[Allowance]:
    """Read `--allow`, as often as it was given.

    Raises:
        UsageError: one has no reason, or names no aspect that exists.
    """
    found = []
    for one in given:
        pattern, _, reason = one.partition("=")
        found.append(msgspec.structs.replace(_read(pattern, reason, f"--allow {one}"), by_flag=True))
    return found


def declared(file: Path | None, table: Mapping[str, Any]) -> list[Allowance]:
    """Read `[tool.mlxprobe.allow]`; raises UsageError as `ordered` does."""
    rows = table.get("allow", {})
    if not isinstance(rows, Mapping):
        raise UsageError(
            f'{file}, [tool.mlxprobe] allow: {shown(rows)} is not a table of lines "PROGRAM[:WHAT]" = "REASON"'
        )
    return [_read(pattern, reason, f"{file}, [tool.mlxprobe.allow] {pattern!r}") for pattern, reason in rows.items()]


def _read(pattern: str, reason: Any, origin: str) -> Allowance:
    program, _, what = pattern.partition(":")
    if what and what not in ASPECTS:
        raise UsageError(f"{origin}: {what!r} is not one of {', '.join(ASPECTS)}")
    if not isinstance(reason, str) or not reason.strip():
        raise UsageError(f"{origin}: has no reason; {RIGHT}")
    return Allowance(program=program, what=what, reason=reason.strip(), origin=origin)


def allow(found: Sequence[Comparison], allowances: Sequence[Allowance]) -> list[Comparison]:
    """Mark the allowed regressions with the reason; a release that does not import cannot be allowed."""
    return [one if one.program == IMPORT else _allowed(one, allowances) for one in found]


def _allowed(one: Comparison, allowances: Sequence[Allowance]) -> Comparison:
    kept, reason_found = list(one.differences), ""
    for rule in (rule for rule in allowances if fnmatch.fnmatchcase(one.program, rule.program)):
        if any(rule.what in ("", difference.what) for difference in kept):
            kept = [difference for difference in kept if rule.what not in ("", difference.what)]
            reason_found = rule.reason
    rest = msgspec.structs.replace(one, differences=tuple(kept))
    if reason_found and rest.change is not one.change:
        return msgspec.structs.replace(one, allowed=reason_found)
    return one


def idle(found: Sequence[Comparison], allowances: Sequence[Allowance], existing: Iterable[str] = ()) -> list[str]:
    """List the allowances that match no program that ran; a project's own may be for others that are `existing`."""
    names = [one.program for one in found]
    every = [*names, *existing]
    return [
        f"{rule.origin}: matches no program that {'ran' if rule.by_flag else 'there is'}, and allows nothing"
        for rule in allowances
        if not fnmatch.filter(names if rule.by_flag else every, rule.program)
    ]
