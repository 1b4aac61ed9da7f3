"""A page per scenario, and their index."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby

from mlxprobe.catalogue.declaration import Variant
from mlxprobe.catalogue.discovery import LIMITS, SECTIONS
from mlxprobe.reports import phrases
from mlxprobe.reports.docs import code_families
from mlxprobe.reports.docs.inputs import Material, Row, Source
from mlxprobe.reports.docs.markdown import box, capital, code, finding_link, prose, scenario_link, sentence, tab, table
from mlxprobe.reports.side_by_side import aligned, body_of
from mlxprobe.schema.enums import Outcome, Role
from mlxprobe.schema.metrics import counted

BOXES = {"Symptom": "failure", "Cause": "info", "Fix": "success"}


def pages(material: Material) -> dict[str, str]:
    """Return the pages by their paths."""
    made = {f"scenarios/{one.entry.name}.md": "\n".join(_page(one, material)) for one in material.sources}
    return made | {"scenarios/index.md": "\n".join(_index(material))}


def nav(material: Material) -> list[object]:
    """Return the pages in order, by family."""
    return ["index.md", *({family: [f"{name}.md" for name in names]} for family, names in _grouped(material))]


def _grouped(material: Material) -> list[tuple[str, Sequence[str]]]:
    return code_families.grouped((code_families.of_scenario(one.entry), one.entry.name) for one in material.sources)


def _index(material: Material) -> Iterator[str]:
    known = {one.entry.name: one for one in material.sources}
    yield "# Scenarios\n"
    yield (
        "Each is one way of breaking a training loop, next to the correct loop: plain MLX code, run for real. "
        "`mlxprobe run` runs them on your MLX and your device, `mlxprobe show NAME` shows one in the terminal."
    )
    for family, names in _grouped(material):
        yield f"\n## {family}"
        yield from table(("scenario", "what is wrong", "found"), (_index_row(known[name]) for name in names))


def _index_row(source: Source) -> tuple[str, ...]:
    entry = source.entry
    found = dict.fromkeys(found for variant in entry.variants for found in variant.finds)
    return scenario_link(entry.name), prose(sentence(entry.title)), ", ".join(map(finding_link, found)) or "–"


def _page(source: Source, material: Material) -> Iterator[str]:
    entry = source.entry
    yield f"---\ntitle: {entry.name}\n---\n\n# {entry.name}\n\n{prose(sentence(entry.title))}"
    for section in SECTIONS:
        yield from box(BOXES[section], section, [prose(capital(entry.section(section)))])
    if limits := entry.section(LIMITS):
        yield from box("warning", LIMITS, [prose(capital(limits))])
    yield "## Documented and observed"
    head = ("variant", "role", "documented", "observed")
    yield from table(head, (_observed_row(entry.name, one, material) for one in entry.variants))
    if (ranks := entry.scenario.ranks) > 1:
        yield f"Each runs on {ranks} ranks: in a ring on the CPU, through NCCL on as many GPUs.\n"
    yield f"Run it with `mlxprobe run --scenario {entry.name}`."
    correct, *rest = entry.variants
    yield f"\n## The correct loop: {correct.name} {{ #{correct.name} }}\n\n{prose(correct.summary)}\n"
    yield from code(body_of(source.text, correct.name))
    yield from _evidence(material.rows(entry.name, correct.name))
    for variant in rest:
        yield from _variant(source, variant, material)
    yield "## The whole file"
    yield from box("example", f"scenarios/{entry.file.name}", code(source.text.splitlines()), folded=True)
    if entry.scenario.documents:
        names = ", ".join(f"`{name}`" for name in entry.scenario.documents)
        yield f"The claims are of {counted(len(entry.scenario.documents), 'document')}: {names}."


def _observed_row(scenario: str, variant: Variant, material: Material) -> tuple[str, ...]:
    role = f"**{variant.role}**" if variant.role is Role.CORRECT else str(variant.role)
    observed = observations(material, material.rows(scenario, variant.name)) or _expected(variant)
    return f"[{variant.name}](#{variant.name})", role, str(variant.claims or "–"), observed


def observations(material: Material, rows: Sequence[Row]) -> str:
    """Say where which outcome was seen; the places are left out where it was the same at all of them."""
    told = [(phrases.observed(one), (record, one)) for record, one in rows]
    groups = [
        (outcome, [row for _, row in group])
        for (_, outcome), group in groupby(told, key=lambda pair: (pair[1][0].environment.device, pair[0]))
    ]
    if len({outcome for outcome, _ in groups}) == 1:
        return _loud(groups[0][0])
    return "; ".join(f"{_loud(outcome)} on {material.where(group)}" for outcome, group in groups)


def _loud(outcome: str) -> str:
    return outcome if outcome in (Outcome.PASS, Outcome.SKIPPED) else f"**{outcome}**"


def _expected(variant: Variant) -> str:
    if isinstance(variant.expects, Outcome):
        return f"expected: {variant.expects}"
    return "expected: " + ", ".join(f"{outcome} ({condition})" for condition, outcome in variant.expects.items())


def _variant(source: Source, variant: Variant, material: Material) -> Iterator[str]:
    rows = material.rows(source.entry.name, variant.name)
    yield f"\n## {variant.name} {{ #{variant.name} }}\n\n*{capital(str(variant.role))}.* {prose(variant.summary)}\n"
    if variant.claims:
        said = f" “{prose(variant.says)}”" if variant.says else ""
        yield f"Documented: {variant.claims}.{said} {_status(rows)}\n"
    lines = list(aligned(body_of(source.text, variant.name), body_of(source.text, source.entry.correct.name)))
    own = [(mark, left) for mark, left, _ in lines if mark != "+"]
    marked = [number for number, (mark, _) in enumerate(own, 1) if mark != " "]
    yield from tab(variant.name, code([line for _, line in own], marked=marked))
    if any(mark != " " for mark, _, _ in lines):
        yield from tab(f"what {source.entry.correct.name} does instead", code(_difference(lines), "diff"))
    yield from _evidence(rows)
    if variant.finds:
        yield f"Found: {', '.join(map(finding_link, variant.finds))}.\n"


def _newest(rows: Sequence[Row]) -> list[Row]:
    """Return each device's newest row."""
    return list({record.environment.device: (record, one) for record, one in rows}.values())


def _status(rows: Sequence[Row]) -> str:
    """Say how the document's claim fared, once where it fared alike on all devices."""
    told = {record.environment.device.upper(): phrases.status(one) for record, one in _newest(rows)}
    if len(set(told.values())) == 1:
        return f"**{capital(next(iter(told.values())))}.**"
    return " ".join(f"{device}: **{status}**." for device, status in told.items())


def _difference(lines: Sequence[tuple[str, str, str]]) -> list[str]:
    told: list[str] = []
    for same, group in groupby(lines, key=lambda line: line[0] == " "):
        rows = list(group)
        if same:
            told += [f"  {left}" for _, left, _ in rows]
        else:
            told += [f"- {left}" for mark, left, _ in rows if mark in "-~"]
            told += [f"+ {right}" for mark, _, right in rows if mark in "+~"]
    return told


def _evidence(rows: Sequence[Row]) -> Iterator[str]:
    """Quote the evidence of each device's newest release."""
    for record, one in _newest(rows):
        if one.outcome is not Outcome.SKIPPED:
            yield f"\nMLX {record.environment.mlx}, {record.environment.device.upper()}: {prose(one.reason)}"
    yield ""
