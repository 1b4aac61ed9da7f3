"""Families of findings by the first digit of their codes; a scenario belongs where most of its findings do."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

from mlxprobe.catalogue.discovery import Entry

FAMILIES = {
    "MP1": "Evaluation and memory",
    "MP2": "Gradients and updates",
    "MP3": "Losses and data",
    "MP4": "Checkpoints",
    "MP5": "Compilation",
    "MP6": "Processes and threads",
    "MP7": "Ranks",
}
OTHER = "Other claims"


def of_code(code: str) -> str:
    """Return the family of a finding."""
    return FAMILIES.get(code[:3], OTHER)


def of_scenario(entry: Entry) -> str:
    """Return the family of a scenario: of equals the first; one without findings tests a claim alone."""
    counts = Counter(of_code(code) for variant in entry.variants for code in variant.finds)
    return counts.most_common(1)[0][0] if counts else OTHER


def grouped(entries: Iterable[tuple[str, str]]) -> list[tuple[str, Sequence[str]]]:
    """Group (family, name) by family, in the order of the families."""
    found: dict[str, list[str]] = {}
    for family, name in entries:
        found.setdefault(family, []).append(name)
    return [(family, found[family]) for family in (*FAMILIES.values(), OTHER) if family in found]
