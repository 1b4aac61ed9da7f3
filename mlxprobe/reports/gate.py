"""The gate's answer as text, Markdown, JUnit and JSON: pure."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from collections import Counter
from collections.abc import Callable

from mlxprobe.reports import markdown_html
from mlxprobe.reports.annotations import command
from mlxprobe.reports.junit import clean
from mlxprobe.reports.markdown import table
from mlxprobe.reports.phrases import finished
from mlxprobe.schema.metrics import counted
from mlxprobe.schema.observation import Environment, Value
from mlxprobe.schema.record_io import json_text
from mlxprobe.schema.texts import inline, one_line
from mlxprobe.upgrade.diff import Change, Comparison, regressions

GATE_SCHEMA_VERSION = 1
MARKS = {Change.REGRESSION: "✗", Change.CANNOT_TELL: "?", Change.CHANGED: "~", Change.FIXED: "+", Change.SAME: "="}


class GateReport(Value, frozen=True):
    """The result of `mlxprobe gate`.

    `skipped` says which release has no wheel for this platform, `problem` why the result is no pass (exit code 2).
    """

    schema_version: int
    baseline: str
    candidate: str
    environment: Environment | None = None
    comparisons: tuple[Comparison, ...] = ()
    skipped: str = ""
    problem: str = ""
    complete: bool = True
    wall_s: float = 0.0
    notes: tuple[str, ...] = ()  # on random programs: how many there were, and which functions they met


def answer(report: GateReport) -> str:
    """Say in one line whether the upgrade is safe; names and reasons are others' texts, and may have several."""
    return one_line(f"{report.baseline} → {report.candidate}: {_verdict(report)}")


def _verdict(report: GateReport) -> str:
    if report.problem:
        return f"no verdict: {report.problem}"
    if report.skipped:
        return f"skipped: {report.skipped}"
    counts = Counter("allowed" if one.allowed else str(one.change) for one in report.comparisons)
    order = [change for change in (*map(str, Change), "allowed") if counts[change] and change != Change.REGRESSION]
    told = ", ".join(f"{counts[change]} {change}" for change in order)
    bad = regressions(report.comparisons)
    verdict = counted(len(bad), "regression") if bad else "no regression"
    return f"{verdict}{f' ({told})' if told else ''}"


def text(report: GateReport) -> str:
    """Return what differs, program by program, the gravest first, and the answer."""
    order = list(Change)
    lines = []
    for one in sorted(report.comparisons, key=lambda one: order.index(one.change)):
        shown = [found for found in one.differences if not found.suspected]
        if shown:
            allowed = f" – allowed: {one.allowed}" if one.allowed else ""
            lines.append(one_line(f"{MARKS[one.change]} {one.program}: {one.change}{allowed}"))
            told = (f"{found.what}: {found.text}{' (advice)' if found.advice else ''}" for found in shown)
            lines += [f"    {one_line(text)}" for text in told]
    lines += ["interrupted: this is what was finished by then"] * (not report.complete)
    return finished("\n".join([*lines, *[""] * bool(lines), *map(one_line, report.notes), answer(report)]) + "\n")


def markdown(report: GateReport) -> str:
    """Return the answer and a table of what differs."""
    rows = [
        (one.program, f"**{one.change}**", found.what, found.text + (" (advice)" if found.advice else ""), one.allowed)
        for one in report.comparisons
        for found in one.differences
        if not found.suspected
    ]
    head = ("program", "change", "what", "evidence", "allowed because")
    return "\n".join(
        [
            "## mlxprobe gate",
            "",
            inline(answer(report)) + ".",
            *map(inline, report.notes),
            "",
            *(table(head, rows) if rows else []),
            "",
        ]
    )


def junit(report: GateReport) -> str:
    """Return a test case per program; a regression that nobody allowed fails it."""
    bad = regressions(report.comparisons)
    attributes = {
        "tests": str(len(report.comparisons) + bool(report.skipped or report.problem)),
        "failures": str(len(bad)),
        "errors": str(int(bool(report.problem))),
        "skipped": str(int(bool(report.skipped) and not report.problem)),
        "time": f"{report.wall_s:.3f}",
    }
    root = ET.Element("testsuites")
    suite = ET.SubElement(root, "testsuite", {"name": "mlxprobe gate", **attributes})
    for one in report.comparisons:
        scenario, _, variant = clean(one.program).rpartition("/")
        case = ET.SubElement(suite, "testcase", classname=scenario or "programs", name=variant)
        told = clean(one_line("; ".join(f"{found.what}: {found.text}" for found in one.differences)))
        if one in bad:
            ET.SubElement(case, "failure", message=told, type="regression")
        elif told:
            ET.SubElement(case, "system-out").text = told
    if report.problem or report.skipped:
        case = ET.SubElement(suite, "testcase", classname="mlxprobe", name="gate")
        kind = "error" if report.problem else "skipped"
        ET.SubElement(case, kind, message=clean(report.problem or report.skipped))
    ET.indent(root)
    return ET.tostring(root, encoding="unicode", xml_declaration=True) + "\n"


def github(report: GateReport) -> str:
    """Return workflow commands: an error per regression, a notice per other change."""
    lines = []
    for one in report.comparisons:
        for found in one.differences:
            if found.suspected or found.advice:
                continue
            allowed = f" (allowed: {one.allowed})" if one.allowed else ""
            worse = found.change is Change.REGRESSION and not one.allowed
            title, message = f"{one.program}: {found.change}", f"{found.what}: {found.text}{allowed}"
            lines.append(command("error" if worse else "notice", message, title=title))
    if report.problem or report.skipped:
        lines.append(command("error" if report.problem else "notice", answer(report), title="mlxprobe gate"))
    return "\n".join([*lines, answer(report)]) + "\n"


GATE_FORMATS: dict[str, Callable[[GateReport], str]] = {
    "text": text,
    "json": json_text,
    "markdown": markdown,
    "junit": junit,
    "github": github,
    "html": lambda report: markdown_html.page("mlxprobe gate", markdown(report)),
}
