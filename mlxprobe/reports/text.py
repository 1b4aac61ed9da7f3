"""The report for a terminal: per variant documented and observed outcome, evidence; the correct loop first."""

from __future__ import annotations

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from mlxprobe.reports import phrases, ranks
from mlxprobe.reports.console import printed
from mlxprobe.reports.verdicts import summary
from mlxprobe.schema.enums import Outcome, Role
from mlxprobe.schema.record import ProgramRecord, Record
from mlxprobe.schema.texts import one_line

STYLES = {Outcome.PASS: "green", Outcome.UNJUDGED: "magenta", Outcome.SKIPPED: "dim"}


def render(record: Record, width: int = 80) -> str:
    """Return the report without colours, `width` columns wide."""
    return printed(renderable(record), width)


def renderable(record: Record) -> RenderableType:
    """Return the report for any rich console."""
    parts: list[RenderableType] = []
    for name, rows in phrases.by_scenario(record.programs):
        parts += [Text.assemble((name, "bold"), "  ", rows[0].title), _table(rows), Text("")]
    parts += [Text(f"problem: {problem}", style="red") for problem in record.problems]
    if not record.complete:
        parts.append(Text("interrupted: this is what was finished by then", style="yellow"))
    parts.append(Text(summary(record.programs), style="bold"))
    parts.append(Text(phrases.surroundings(record), style="dim"))
    return Group(*parts)


def _table(rows: list[ProgramRecord]) -> RenderableType:
    parts: list[RenderableType] = [_heading()]
    for one in rows:
        parts += [_line(one), *_evidence(one)]
    return Group(*parts)


def _grid() -> Table:
    grid = Table.grid(padding=(0, 1), expand=True)
    grid.add_column(width=1)
    grid.add_column(ratio=1, overflow="fold")
    grid.add_column(width=12)
    grid.add_column(width=17)
    return grid


def _heading() -> Table:
    grid = _grid()
    grid.add_row("", "", "documented", "observed", style="dim")
    return grid


def _line(one: ProgramRecord) -> Table:
    mark = Text("✓", style="green") if one.as_expected else Text("✗", style="bold red")
    name = Text(one.label)
    if one.role not in (None, Role.BROKEN):
        name.append(f"  {one.role}", style="dim")
    grid = _grid()
    grid.add_row(
        mark, name, str(one.claims or "–"), Text(phrases.observed(one), style=STYLES.get(one.outcome, "yellow"))
    )
    return grid


def _evidence(one: ProgramRecord) -> list[RenderableType]:
    lines = []
    if not (one.as_expected or one.watched):
        lines.append(Text("; ".join(filter(None, [f"expected: {one.expected}", phrases.repeated(one)])), style="red"))
    if phrases.status(one) not in ("", "confirmed"):
        lines.append(Text(f"documented: {one.claims} – observed: {one.outcome}: {phrases.status(one)}", style="cyan"))
    lines.append(Text(one.reason, style="dim" if one.outcome is Outcome.PASS else ""))
    if one.findings:
        lines.append(Text(phrases.codes(one), style="magenta"))
    lines += [Text(f"also: {one_line(remark.message)}", style="dim") for remark in one.remarks]
    parts: list[RenderableType] = list(lines)
    if not one.as_expected and (told := ranks.lines(one.ranks)):
        parts.append(ranks.RankTable(told))
    return [Padding(part, (0, 0, 0, 4)) for part in parts]
