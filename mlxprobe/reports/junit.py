"""The report as JUnit XML: one test suite, one case per variant, a failure where the outcome is unexpected.

A user's program that was watched fails by its outcome and its findings instead.
"""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET

from mlxprobe.reports import diagnosis, phrases, verdicts
from mlxprobe.reports.cause_groups import unchecked
from mlxprobe.schema.enums import Outcome
from mlxprobe.schema.record import ProgramRecord, Record
from mlxprobe.schema.texts import lines

_NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def render(record: Record) -> str:
    """Return the XML document."""
    rows = record.programs
    suite = ET.Element(
        "testsuite",
        name="mlxprobe",
        tests=str(len(rows)),
        failures=str(sum(_fails(one) for one in rows)),
        errors=str(sum(one.outcome is Outcome.UNJUDGED for one in rows)),
        skipped=str(sum(one.outcome is Outcome.SKIPPED for one in rows)),
        time=f"{record.wall_s:.3f}",
        timestamp=record.time,
    )
    for one in rows:
        _case(suite, one)
    root = ET.Element("testsuites")
    root.append(suite)
    ET.indent(root)
    return ET.tostring(root, encoding="unicode", xml_declaration=True) + "\n"


def clean(text: str) -> str:
    """Replace characters that XML cannot hold, and spell out those that hide or reorder others."""
    return lines(_NOT_XML.sub("�", text))


def _fails(one: ProgramRecord) -> bool:
    return verdicts.fails(one) and one.outcome not in (Outcome.UNJUDGED, Outcome.SKIPPED)


def _case(suite: ET.Element, one: ProgramRecord) -> None:
    names = {"classname": one.group, "name": clean(one.label)}
    case = ET.SubElement(suite, "testcase", names, time=f"{one.wall_s:.3f}")
    message, details = map(clean, _told(one))
    if one.outcome is Outcome.SKIPPED:
        ET.SubElement(case, "skipped", message=message)
    elif one.outcome is Outcome.UNJUDGED:
        ET.SubElement(case, "error", message=message, type=str(one.outcome))
    elif _fails(one):
        ET.SubElement(case, "failure", message=message, type=str(one.outcome)).text = details
    head = [verdicts.verdict(one)] if one.watched else []
    lines = [*head, one.reason, *(f"also: {remark.message}" for remark in one.remarks), *unchecked(one)]
    ET.SubElement(case, "system-out").text = clean("\n".join(lines))


def _told(one: ProgramRecord) -> tuple[str, str]:
    if one.watched:
        return verdicts.verdict(one), diagnosis.told(one)
    observed = ", ".join(filter(None, [f"observed {phrases.observed(one)}", phrases.repeated(one)]))
    return f"expected {one.expected}, {observed}: {one.reason}", phrases.codes(one)
