"""The report as Markdown, ending with the claims ledger."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from mlxprobe.reports import phrases, ranks
from mlxprobe.reports.cause_groups import unchecked
from mlxprobe.reports.diagnosis import headline
from mlxprobe.reports.verdicts import summary, verdict
from mlxprobe.schema.enums import Role
from mlxprobe.schema.merge_ranks import said_once
from mlxprobe.schema.record import ProgramRecord, Record
from mlxprobe.schema.texts import inline
from mlxprobe.schema.versions import USERS

VARIANT = ("variant", "role", "documented")


def render(record: Record) -> str:
    """Return scenario by scenario what was observed, then the ledger of the documents' claims."""
    lines = [
        "# mlxprobe",
        "",
        f"{inline(phrases.surroundings(record))}. {inline(record.time)}.",
        "",
        inline(summary(record.programs)) + ".",
    ]
    lines += [f"\nProblem: {inline(problem)}" for problem in record.problems]
    if not record.complete:
        lines += ["", "Interrupted: this is what was finished by then."]
    for name, rows in phrases.by_scenario(record.programs):
        lines += ["", f"## {inline(name)}", "", *([f"{inline(rows[0].title)}.", ""] if rows[0].title else [])]
        head = ("program", "observed", "evidence") if name == USERS else (*VARIANT, "observed", "evidence")
        lines += table(head, map(_own if name == USERS else _row, rows))
        lines += _found(rows) if name == USERS else []
        unexpected = {one.label: one.ranks for one in rows if one.ranks and not one.as_expected}
        for program, several in (ranks.groups(rows) | unexpected).items():
            lines += ["", f"Ranks of {inline(program.removeprefix(f'{name}/'))} ({ranks.ABOUT}):", ""]
            lines += table(ranks.HEAD, ranks.lines(several))
    claims = ledger(record) if any(one.claims for one in record.programs) else []
    return "\n".join([*lines, "", *claims, ""])


def ledger(record: Record) -> list[str]:
    """Return the ledger: claim by claim what a document says, and what was observed."""
    claims = [one for one in record.programs if one.claims is not None]
    return [
        "## Claims ledger",
        "",
        f"What the documents say, and what {inline(phrases.surroundings(record))} did.",
        "",
        *table(("document", "it says", "program", "observed", "status", "evidence"), map(_claim, claims)),
    ]


def _row(one: ProgramRecord) -> tuple[str, ...]:
    again = f"; {phrases.repeated(one)}" if one.repeats else ""
    mark = "" if one.as_expected else f" (expected {one.expected}{again}) ✗"
    role = f"**{one.role}**" if one.role is Role.CORRECT else str(one.role or "–")
    return one.label, role, str(one.claims or "–"), phrases.observed(one) + mark, _evidence(one)


def _own(one: ProgramRecord) -> tuple[str, ...]:
    told = verdict(one) if one.watched else phrases.observed(one)
    return one.label, told + ("" if one.as_expected else " ✗"), _evidence(one)


def _found(rows: Sequence[ProgramRecord]) -> list[str]:
    once = said_once(rows)
    told = [found for one in once for found in one.findings]
    known = dict.fromkeys(remark.message for one in rows for remark in one.remarks)
    lines = [headline(found) for found in {found.same: found for found in told}.values()]
    lines += [*(f"also: {message}" for message in known), *(line for one in once for line in unchecked(one))]
    return ["", *(f"- {cell(line)}" for line in lines)]


def _claim(one: ProgramRecord) -> tuple[str, ...]:
    documents = ", ".join(document[:3] for document in one.documents)
    said = one.says or one.summary
    return documents, said, one.name, phrases.observed(one), f"**{phrases.status(one)}**", _evidence(one)


def _evidence(one: ProgramRecord) -> str:
    return f"{one.reason} [{phrases.codes(one)}]" if one.findings else one.reason


def table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> list[str]:
    """Return the lines of a Markdown table."""
    lines = [head, ("---",) * len(head), *rows]
    return ["| " + " | ".join(cell(text) for text in line) + " |" for line in lines]


def cell(text: str) -> str:
    """Write a text in one line, without what Markdown would take for its own."""
    return inline(text).replace("|", "\\|")
