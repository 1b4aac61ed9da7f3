"""A scenario's or a finding's page for a terminal: pure."""

from __future__ import annotations

from collections.abc import Iterable

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.text import Text

from mlxprobe.catalogue.declaration import Variant
from mlxprobe.catalogue.discovery import SECTIONS, Entry
from mlxprobe.diagnosis import Rule
from mlxprobe.diagnosis.errors import Known, address
from mlxprobe.diagnosis.metal import FACTS, NEVER_RUN
from mlxprobe.reports.side_by_side import side_by_side
from mlxprobe.schema.enums import Outcome, Role


def scenario(entry: Entry, variants: Iterable[Variant], width: int) -> RenderableType:
    """Show symptom, cause and fix, then each variant's code beside the correct one's."""
    parts: list[RenderableType] = [Text.assemble((entry.name, "bold"), "  ", entry.title), Text("")]
    for section in SECTIONS:
        parts += [Text(section, style="bold"), Padding(Text(entry.section(section)), (0, 0, 0, 2))]
    source = entry.file.read_text(encoding="utf-8")
    for variant in variants:
        if variant.role is not Role.CORRECT:
            parts += [Text(""), *_heading(variant), side_by_side(source, variant.name, entry.correct.name, width)]
    return Group(*parts)


def _heading(variant: Variant) -> list[RenderableType]:
    claim = f"documented: {variant.claims}" if variant.claims else "documented: –"
    expects = {"": variant.expects} if isinstance(variant.expects, Outcome) else variant.expects
    outcome = ", ".join(f"{condition}: {one}" if condition else str(one) for condition, one in expects.items())
    lines = [Text.assemble((variant.name, "bold"), f"  ({variant.role})  {claim}  measured: {outcome}")]
    return [*lines, Padding(Text(variant.summary, style="dim"), (0, 0, 0, 2))]


def finding(rule: Rule) -> RenderableType:
    """Show what a finding is, why it is bad, an example, and what to write instead."""
    head = Text.assemble((f"{rule.code} {rule.name}", "bold"), f"  ({rule.severity})")
    what, *rest = rule.sections().items()
    parts: list[RenderableType] = [Padding(Text(what[1]), (1, 0, 0, 2))]
    for title, text in rest:
        sentence = f"{text[:1].upper()}{text[1:]}"
        parts += [Padding(Text(title, style="bold"), (1, 0, 0, 2)), Padding(Text(sentence), (0, 0, 0, 2))]
    return Group(head, *parts)


def error(row: Known) -> RenderableType:
    """Show what an error means, its usual causes, what to do, and where it was reported."""
    causes = [f"  {number}. {cause}" for number, cause in enumerate(row.causes, 1)]
    places = [f"  {address(thread)}" for thread in row.threads]
    lines = [f"{row.means}.", "", "Usual causes, the best confirmed first:", *causes, "", f"What to do: {row.do}."]
    told = [Padding(Text(line), (0, 0, 0, 2)) for line in ("", *lines, "", "Reported in:", *places)]
    return Group(Text.assemble((row.name, "bold"), f"  ({row.backend})"), *told)


def metal() -> RenderableType:
    """Show what is peculiar to Metal."""
    parts: list[RenderableType] = [Text.assemble(("metal", "bold"), f"  ({NEVER_RUN})")]
    for one in FACTS:
        lines = [f"{one.says[0].upper()}{one.says[1:]}.", f"What to do: {one.do}."]
        parts += [Text(""), Text(one.name, style="bold"), *(Padding(Text(line), (0, 0, 0, 2)) for line in lines)]
        parts += [Padding(Text(source, style="dim"), (0, 0, 0, 4)) for source in one.sources]
    return Group(*parts)
