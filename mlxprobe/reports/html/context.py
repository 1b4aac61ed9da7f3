"""What the templates are given: scenarios, their programs, the releases' grid: pure."""

from __future__ import annotations

import difflib
import json
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from mlxprobe.diagnosis import RULES, Rule
from mlxprobe.reports import ranks
from mlxprobe.reports import summary as facts
from mlxprobe.reports.cause_groups import Family, families, unchecked
from mlxprobe.reports.html.chart_data import charts, trends
from mlxprobe.reports.html.escape import anchor
from mlxprobe.reports.html.timeline import timeline
from mlxprobe.reports.side_by_side import aligned, body_of
from mlxprobe.reports.verdicts import summary
from mlxprobe.schema.enums import Outcome
from mlxprobe.schema.merge_ranks import said_once
from mlxprobe.schema.observation import Value
from mlxprobe.schema.record import ProgramRecord, Record
from mlxprobe.schema.record_io import finite
from mlxprobe.schema.texts import one_line
from mlxprobe.schema.versions import MATRIX_SCHEMA_VERSION, USERS
from mlxprobe.upgrade.matrix import Matrix, along, cell, labels
from mlxprobe.upgrade.matrix import rows as matrix_rows

Piece = tuple[str, bool]  # a part of a line, and whether the other side has something else there
ALIKE = 0.4  # lines less alike than this are other lines, not changed ones
_WORD = re.compile(r"\w+|\s+|.")
MOST_FINDINGS = 200  # of one program; a hostile or endless one must not make the report unreadable
Json = dict[str, Any]


class Guide(Value, frozen=True):
    """A scenario's docstring in its parts, its source, and the name of its correct loop."""

    scenario: str
    source: str
    correct: str
    symptom: str = ""
    cause: str = ""
    fix: str = ""


class Program(Value, frozen=True):
    """A row of the record as the page shows it."""

    row: ProgramRecord
    id: str
    pairs: tuple[Pair, ...] = ()
    findings: tuple[Family, ...] = ()  # a cause, and what follows from it, how far
    left_out: int = 0
    unchecked: tuple[str, ...] = ()
    facts: tuple[tuple[str, str], ...] = ()
    ranks: tuple[tuple[str, ...], ...] = ()  # where they stand, of a variant with several

    @property
    def codes(self) -> str:
        return " ".join(dict.fromkeys(one.code for one in self.row.findings))


class Ranks(Value, frozen=True):
    """The ranks of a program: a line of the table for those that are alike, and their timeline where there is one."""

    name: str
    lines: tuple[tuple[str, ...], ...]
    chart: Json | None = None


class Section(Value, frozen=True):
    """A scenario with its programs, the correct one first, and its charts."""

    name: str
    id: str
    title: str
    programs: tuple[Program, ...]
    charts: tuple[Json, ...]
    guide: Guide | None = None
    trends: tuple[Json, ...] = ()
    ranks: tuple[Ranks, ...] = ()

    @property
    def timelines(self) -> list[Json]:
        return [one.chart for one in self.ranks if one.chart]


class Cell(Value, frozen=True):
    """An outcome on one release; None where the program was not run there."""

    row: ProgramRecord | None
    changed: bool


class Line(Value, frozen=True):
    """A program along the releases."""

    name: str
    id: str
    codes: str
    cells: tuple[Cell, ...]

    @property
    def changes(self) -> bool:
        return any(one.changed for one in self.cells)


class Page(Value, frozen=True):
    """All that the page shows. With several records, the programs shown closely are of the newest that has them."""

    newest: Record
    sections: tuple[Section, ...]
    outcomes: dict[Outcome, int]
    codes: dict[str, str]
    rules: tuple[Rule, ...]
    summary: str
    releases: tuple[str, ...] = ()
    lines: tuple[Line, ...] = ()
    skipped: dict[str, str] = {}

    @property
    def watched(self) -> bool:
        return all(one.name == USERS for one in self.sections)

    @property
    def goes_on(self) -> bool:
        """Whether a program of it still runs: whoever writes the page will write it anew."""
        return any(one.ended == "running" for one in self.programs)

    @property
    def programs(self) -> list[ProgramRecord]:
        return [one.row for section in self.sections for one in section.programs]


def page(records: Sequence[Record], guides: Iterable[Guide], skipped: Mapping[str, str]) -> Page:
    """Put records, the oldest release first, and what is known of their scenarios into one page."""
    known = {one.scenario: one for one in guides}
    newest = records[-1]
    many = len(records) > 1
    table = matrix_rows(Matrix(schema_version=MATRIX_SCHEMA_VERSION, records=tuple(records))) if many else []
    shown = [next(one for one in reversed(row) if one) for _, row in table] if many else list(newest.programs)
    releases = labels(records) if many else []
    sections = [_section(name, rows, known.get(name), dict(table), releases) for name, rows in grouped(shown).items()]
    outcomes = Counter(one.outcome for one in shown)
    found = {one.code: one.name for row in shown for one in row.findings}
    ids = {one.row.name: one for section in sections for one in section.programs}
    return Page(
        newest=newest,
        sections=tuple(sections),
        outcomes={outcome: outcomes[outcome] for outcome in Outcome if outcomes[outcome]},
        codes=dict(sorted(found.items())),
        rules=tuple(RULES[code] for code in sorted(found) if code in RULES),
        summary=summary(shown),
        releases=tuple(releases),
        lines=tuple(Line(name, ids[name].id, ids[name].codes, tuple(_cells(records, row))) for name, row in table),
        skipped=dict(skipped),
    )


def grouped(rows: Iterable[ProgramRecord]) -> dict[str, list[ProgramRecord]]:
    """Group rows by scenario, wherever they stand."""
    groups: dict[str, list[ProgramRecord]] = {}
    for one in rows:
        groups.setdefault(one.group, []).append(one)
    return groups


def _section(
    name: str,
    rows: list[ProgramRecord],
    guide: Guide | None,
    table: Mapping[str, Sequence[ProgramRecord | None]],
    releases: Sequence[str],
) -> Section:
    seen: Counter[str] = Counter()
    programs = []
    for row, told in zip(rows, said_once(rows), strict=True):
        seen[row.label] += 1
        again = [str(seen[row.label])] if seen[row.label] > 1 else []
        programs.append(_program(row, anchor(name, row.label, *again), guide, told))
    return Section(
        name=name,
        id=anchor(name),
        title=rows[0].title,
        programs=tuple(programs),
        charts=tuple(charts(rows)),
        guide=guide,
        trends=tuple(trends([table[row.name] for row in rows], releases)) if table else (),
        ranks=tuple(
            Ranks(name.partition("/")[2], tuple(ranks.lines(several)), timeline(several))
            for name, several in ranks.groups(rows).items()
        ),
    )


def _program(row: ProgramRecord, identity: str, guide: Guide | None, told: ProgramRecord) -> Program:
    found = families(told.findings)
    own = guide is not None and row.label != guide.correct
    return Program(
        row=row,
        id=identity,
        pairs=tuple(pairs(guide, row.label)) if own else (),
        findings=tuple(found[:MOST_FINDINGS]),
        left_out=sum(1 + len(rest) for _, rest in found[MOST_FINDINGS:]),
        unchecked=tuple(map(one_line, unchecked(told))),
        facts=tuple(facts.lines(row)),
        ranks=tuple(ranks.lines(row.ranks)),
    )


def _cells(records: Sequence[Record], row: Sequence[ProgramRecord | None]) -> Iterable[Cell]:
    for _, before, one in along(records, row):
        yield Cell(one, cell(before, one)[1])


def data(shown: Page) -> str:
    """Return the charts' figures as JSON that can stand inside an HTML element."""
    plain = {section.id: [*section.charts, *section.trends, *section.timelines] for section in shown.sections}
    text = json.dumps(finite(plain), separators=(",", ":"))
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


class Pair(Value, frozen=True):
    """A line of both sides; `mark` is " ", "-" (left alone), "+" (right alone) or "~" (changed)."""

    mark: str
    left: tuple[Piece, ...]
    right: tuple[Piece, ...]


def pairs(guide: Guide | None, variant: str) -> list[Pair]:
    """Return a variant's lines beside the correct loop's; none where the source does not have both."""
    if guide is None:
        return []
    try:
        left, right = body_of(guide.source, variant), body_of(guide.source, guide.correct)
    except (StopIteration, SyntaxError, ValueError):  # the record is of another version of the file
        return []
    return list(_paired(left, right))


def _paired(left: list[str], right: list[str]) -> Iterator[Pair]:
    for mark, mine, its in aligned(left, right):
        if mark == "~":
            yield Pair(mark, *_pieces(mine, its))
        else:
            yield Pair(mark, ((mine, False),) if mark != "+" else (), ((its, False),) if mark != "-" else ())


def _pieces(left: str, right: str) -> tuple[tuple[Piece, ...], tuple[Piece, ...]]:
    mine, its = _WORD.findall(left), _WORD.findall(right)
    matcher = difflib.SequenceMatcher(None, mine, its, autojunk=False)
    if matcher.ratio() < ALIKE:
        return ((left, False),), ((right, False),)
    lefts: list[Piece] = []
    rights: list[Piece] = []
    for tag, i1, i2, j1, j2 in matcher.get_opcodes():
        lefts.append(("".join(mine[i1:i2]), tag != "equal"))
        rights.append(("".join(its[j1:j2]), tag != "equal"))
    return tuple(piece for piece in lefts if piece[0]), tuple(piece for piece in rights if piece[0])
