"""A page per finding code, and their index."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from mlxprobe.diagnosis import Rule
from mlxprobe.reports.docs import code_families
from mlxprobe.reports.docs.inputs import Material, Row
from mlxprobe.reports.docs.markdown import box, capital, finding_link, prose, scenario_link, table

BOXES = {"Example": "failure", "Use instead": "success"}
GRAVITY = {
    "error": "a bug: the run is wrong, or will stop",
    "warning": "a bug in most loops; meant in some",
    "note": "worth knowing; nothing is wrong because of it",
}


def pages(material: Material) -> dict[str, str]:
    """Return the pages by their paths."""
    made = {f"findings/{rule.code.lower()}.md": "\n".join(_page(rule, material)) for rule in material.rules}
    return made | {"findings/index.md": "\n".join(_index(material))}


def nav(material: Material) -> list[object]:
    """Return the pages in order, by family."""
    return ["index.md", *({family: [f"{code.lower()}.md" for code in codes]} for family, codes in _grouped(material))]


def _grouped(material: Material) -> list[tuple[str, Sequence[str]]]:
    return code_families.grouped((code_families.of_code(rule.code), rule.code) for rule in material.rules)


def _index(material: Material) -> Iterator[str]:
    rules = {rule.code: rule for rule in material.rules}
    yield "# Findings\n"
    yield (
        "What `mlxprobe watch`, `isolate`, `run` and the pytest marker call by a code. A code never changes its "
        "meaning; `mlxprobe explain CODE` shows its page in the terminal."
    )
    yield from table(("severity", "it is"), GRAVITY.items())
    for family, codes in _grouped(material):
        yield f"\n## {family}"
        yield from table(("code", "name", "severity", "what is seen"), (_index_row(rules[code]) for code in codes))


def _index_row(rule: Rule) -> tuple[str, ...]:
    return finding_link(rule.code), rule.name, str(rule.severity), prose(rule.sections()["What it detects"])


def _page(rule: Rule, material: Material) -> Iterator[str]:
    sections = rule.sections()
    yield f"---\ntitle: {rule.code} {rule.name}\n---\n\n# {rule.code} {rule.name}\n"
    yield f"**{rule.severity}** · {code_families.of_code(rule.code)}"
    for title, text in sections.items():
        paragraphs = [prose(capital(one)) for one in text.split("\n\n")]
        if title in BOXES:
            yield from box(BOXES[title], title, paragraphs)
        else:
            yield f"\n## {title}\n\n" + "\n\n".join(paragraphs)
    if rule.needs:
        yield f"Where {prose(rule.needs)} cannot be read, the report says *not checked*.\n"
    yield "## Where it is shown"
    declared = {(s.entry.name, v.name) for s in material.sources for v in s.entry.variants if rule.code in v.finds}
    rows: dict[tuple[str, str], list[Row]] = {name: [] for name in declared} | material.showing(rule.code)
    told = ((scenario_link(*name), material.where(seen) or "–") for name, seen in sorted(rows.items()))
    yield from table(("program", "found on"), told)
    yield f'`mlxprobe watch --ignore {rule.code} train.py` leaves it out, `allow=["{rule.code}"]` does in a test.'
