"""The documentation that writes itself: values in, Markdown pages out, by their paths below the folder."""

from __future__ import annotations

import json

from mlxprobe.reports.docs import errors, findings, reference, scenarios, schema
from mlxprobe.reports.docs.inputs import Command, Material, Source, Words

__all__ = ["Command", "Material", "Source", "Words", "pages"]


def pages(material: Material) -> dict[str, str]:
    """Return the text of every page; a folder's `nav.json` names its pages in order."""
    made = scenarios.pages(material) | findings.pages(material) | reference.pages(material) | schema.pages(material)
    made |= errors.pages()
    return {path: text if path.endswith(".json") else _tidy(text) for path, text in made.items()} | {
        "scenarios/nav.json": _json(scenarios.nav(material)),
        "findings/nav.json": _json(findings.nav(material)),
        "reference/nav.json": _json(reference.NAV),
    }


def _json(value: object) -> str:
    return json.dumps(value, indent=2) + "\n"


def _tidy(text: str) -> str:
    return "\n".join(line.rstrip() for line in text.splitlines()) + "\n"
