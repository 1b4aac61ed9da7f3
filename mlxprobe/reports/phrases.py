"""Phrases that all formats share."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from itertools import groupby

from mlxprobe.reports.cause_groups import families
from mlxprobe.schema.enums import Outcome, Role
from mlxprobe.schema.metrics import counted
from mlxprobe.schema.record import ProgramRecord, Record
from mlxprobe.schema.texts import lines

_ENDS = re.compile(r"(?:[ \t]|\x1b\[[0-9;]*m)+$", re.MULTILINE)


def trimmed(text: str) -> str:
    """Take away the spaces at the ends of lines, those around colours' ends too."""
    return _ENDS.sub(lambda end: end[0].replace(" ", "").replace("\t", ""), text)


def finished(text: str) -> str:
    """Return a report of plain text as a terminal may get it."""
    return trimmed(lines(text))


def by_scenario(rows: Iterable[ProgramRecord]) -> list[tuple[str, list[ProgramRecord]]]:
    """Group rows by scenario, in the order of the record."""
    return [(name, list(group)) for name, group in groupby(rows, key=lambda one: one.group)]


def observed(one: ProgramRecord) -> str:
    """Name the outcome, with its kind."""
    return f"{one.outcome} ({one.kind})" if one.kind else str(one.outcome)


def repeated(one: ProgramRecord) -> str:
    """Say how often an unexpected outcome came back when the program was run again; empty where it was not."""
    if not one.repeats:
        return ""
    told = [f"{run.outcome} ({run.kind})" if run.kind else str(run.outcome) for run in one.repeats]
    if one.intermittent:
        return f"intermittent ({one.intermittent}): {', '.join(told)}"
    return f"the same in {len(told)} runs" if len(set(told)) == 1 else f"{len(told)} runs: {', '.join(told)}"


def status(one: ProgramRecord) -> str:
    """Say how the document's claim fared: the ledger's vocabulary; empty where no claim was made."""
    if one.claims is None:
        return ""
    if one.outcome in (Outcome.UNJUDGED, Outcome.SKIPPED):
        return "not judged"
    if one.outcome is one.claims:
        return "confirmed"
    if one.claims is Outcome.PASS and one.role is not Role.BROKEN:
        return "the documented fix itself fails"
    return "not reproduced" if one.outcome is Outcome.PASS else "manifests differently"


def surroundings(record: Record) -> str:
    """Name the releases and the device that a record speaks of."""
    env = record.environment
    device = f"{env.device} ({env.device_name})" if env.device_name else env.device
    return f"mlx {env.mlx} on {device}, Python {env.python}, mlxprobe {record.mlxprobe}"


def summary(rows: Sequence[ProgramRecord]) -> str:
    """Count what came out as expected, and claims that did not hold."""
    unexpected = sum(not one.as_expected for one in rows)
    sometimes = sum(bool(one.intermittent) for one in rows)
    told = f"{unexpected} not as expected" + (f" ({sometimes} intermittent)" if sometimes else "")
    claims = [one for one in rows if one.claims is not None]
    refuted = sum(status(one) != "confirmed" for one in claims)
    parts = [
        counted(len(rows), "program"),
        told if unexpected else "all as expected",
    ]
    if claims:
        hold = "does not hold" if 1 in (refuted, len(claims)) else "do not hold"
        parts.append(f"{refuted} of {counted(len(claims), 'documented claim')} {hold} here")
    return ", ".join(parts)


def codes(one: ProgramRecord) -> str:
    """List a row's findings, each once, and after each what follows from it."""
    told = [(root, [f"{further.code} {further.name}" for _, further in rest]) for root, rest in families(one.findings)]
    each = (f"{root.code} {root.name}" + (f" (causes {', '.join(rest)})" if rest else "") for root, rest in told)
    return ", ".join(dict.fromkeys(each))
