"""What `mlxprobe watch` found as SARIF 2.1.0, which code scanning services read: pure, but for quoted lines."""

from __future__ import annotations

import hashlib
import json
import re
from pathlib import Path
from typing import Any

from mlxprobe.diagnosis import RULES, Rule
from mlxprobe.reports.cause_groups import cause_among, ordered
from mlxprobe.reports.verdicts import verdict
from mlxprobe.runner.finding_filter import identity, own_place, relative, source_of
from mlxprobe.schema.enums import Outcome
from mlxprobe.schema.merge_ranks import said_once
from mlxprobe.schema.observation import Place
from mlxprobe.schema.record import Finding, ProgramRecord, Record, Unchecked
from mlxprobe.schema.record_io import finite
from mlxprobe.schema.texts import escaped, one_line, plain

SCHEMA = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
FINGERPRINT = "mlxprobeFinding/v1"
CODES = sorted(RULES)
_SURROGATES = re.compile("[\ud800-\udfff]")

Json = dict[str, Any]


def render(record: Record) -> str:
    """Return the log: one run per program."""
    log = {"$schema": SCHEMA, "version": "2.1.0", "runs": [_run(record, one) for one in said_once(record.programs)]}
    return escaped(_SURROGATES.sub("�", json.dumps(finite(log), indent=2, ensure_ascii=False))) + "\n"


def _run(record: Record, one: ProgramRecord) -> Json:
    driver = {"name": "mlxprobe", "version": record.mlxprobe, "rules": [_rule(RULES[code]) for code in CODES]}
    return {
        "tool": {"driver": driver},
        "automationDetails": {"id": f"mlxprobe/{one_line(one.label)}/"},  # keeps two scripts' uploads apart
        "invocations": [_invocation(record, one)],
        "columnKind": "unicodeCodePoints",
        "results": [_result(found, cause_among(found, ordered(one.findings))) for found in ordered(one.findings)],
        "properties": {
            "outcome": str(one.outcome),
            "verdict": verdict(one),
            "reason": one_line(one.reason),
            **({"accepted": one.accepted} if one.accepted else {}),
            "programExitCode": one.exit_code,
        },
    }


def _rule(rule: Rule) -> Json:
    short, *rest = [one_line(paragraph) for paragraph in rule.page.split("\n\n")]
    titled = [f"**{title}**\n\n{text}" for title, text in rule.sections().items()]
    markdown = "\n\n".join([f"**{rule.code} {rule.name}**", *titled])
    return {
        "id": rule.code,
        "name": rule.name,
        "shortDescription": {"text": short},
        "fullDescription": {"text": rest[0] if rest else short},
        "help": {"text": "\n\n".join([short, *rest]), "markdown": markdown},
        "defaultConfiguration": {"level": str(rule.severity)},
    }


def _invocation(record: Record, one: ProgramRecord) -> Json:
    return {
        "executionSuccessful": record.complete and one.outcome is not Outcome.UNJUDGED,
        "toolExecutionNotifications": [
            {"level": "note", "message": {"text": one_line(gap.why)}, "associatedRule": _reference(gap, "id", "index")}
            for gap in one.unchecked
        ]
        + [
            {"level": "warning" if remark.grave else "note", "message": {"text": remark.message}}
            for remark in one.remarks
        ],
    }


def _result(found: Finding, cause: Finding | None) -> Json:
    """Return a finding; where it follows from another, that is a related location."""
    result: Json = {
        **_reference(found, "ruleId", "ruleIndex"),
        "level": str(found.severity),
        "message": {"text": _message(found)},
        "partialFingerprints": {FINGERPRINT: fingerprint(found)},
        "properties": {"evidence": dict(found.evidence)} | ({"follows": cause.code} if cause else {}),
    }
    own, *further = [place for place in (own_place(found), _package_place(found)) if place]
    if _in_a_file(own.file):
        result["locations"] = [{"physicalLocation": _location(own)}]
    related: list[Json] = [{"physicalLocation": _location(place)} for place in further if _in_a_file(place.file)]
    if cause and _in_a_file(own_place(cause).file):
        why = {"text": f"follows from {cause.code} {cause.name}"}
        related.append({"physicalLocation": _location(own_place(cause)), "message": why})
    return result | ({"relatedLocations": related} if related else {})


def _package_place(found: Finding) -> Place | None:
    return Place(file=found.file, line=found.line, source=found.source) if found.caller else None


def _in_a_file(file: str) -> bool:
    # <string> is what exec and `python -c` are called; `.` is a folder
    return bool(file) and not file.startswith("<") and bool(artifact(relative(file))["uri"])


def _reference(found: Finding | Unchecked, name: str, index: str) -> Json:
    return {name: plain(found.code)} | ({index: CODES.index(found.code)} if found.code in RULES else {})


def _message(found: Finding) -> str:
    return "\n".join(map(plain, found.message.splitlines())) or plain(found.name)


def _location(place: Place) -> Json:
    location: Json = {"artifactLocation": artifact(relative(place.file))}
    if place.line > 0:
        location["region"] = {"startLine": place.line}
        if text := plain(source_of(place)):
            location["region"]["snippet"] = {"text": text}
    return location


def artifact(file: str) -> Json:
    """Return a file's URI: relative to the folder of the sources, or absolute where it lies outside."""
    uri = (Path("/") / _SURROGATES.sub("�", file)).as_uri()
    return {"uri": uri} if file.startswith("/") else {"uri": uri.removeprefix("file:///"), "uriBaseId": "%SRCROOT%"}


def fingerprint(found: Finding) -> str:
    """Return a name for a finding that stays when its line moves."""
    return hashlib.sha256("\0".join(identity(found)).encode(errors="surrogatepass")).hexdigest()[:32]
