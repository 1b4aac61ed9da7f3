"""Markdown's small change: text that stays text, links between pages, code, tables."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

_CODE_SPAN = re.compile(r"(`[^`]*`)")
_MEANT = re.compile(r"([\\*_<\[\]])")
_FINDING = re.compile(r"\bMP\d{3}\b")


def prose(text: str, up: str = "..") -> str:
    """Return a docstring's words as Markdown: code stays code, a finding's code leads to its page, `up` away."""
    parts = _CODE_SPAN.split(" ".join(text.split()))
    return "".join(part if part.startswith("`") else _linked(_MEANT.sub(r"\\\1", part), up) for part in parts)


def _linked(text: str, up: str) -> str:
    return _FINDING.sub(lambda found: finding_link(found[0], up), text)


def finding_link(code: str, up: str = "..") -> str:
    """Return a link to a finding's page, from a page that lies `up` below the top."""
    return f"[{code}]({up}/findings/{code.lower()}.md)"


def scenario_link(name: str, variant: str = "", up: str = "..") -> str:
    """Return a link to a scenario's page, or to one variant on it."""
    place = f"#{variant}" if variant else ""
    return f"[{name}{f'/{variant}' if variant else ''}]({up}/scenarios/{name}.md{place})"


def code(lines: Sequence[str], language: str = "python", title: str = "", marked: Sequence[int] = ()) -> list[str]:
    """Return a block of code, the lines whose numbers are in `marked` highlighted."""
    head = f"``` {{.{language}" + (f' title="{title}"' if title else "")
    head += f' hl_lines="{" ".join(map(str, marked))}"' if marked else ""
    return [head + "}", *lines, "```"]


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    """Return the lines of a table whose cells are Markdown already."""
    lines = [head, ["---"] * len(head), *rows]
    return ["", *("| " + " | ".join(_cell(cell) for cell in line) + " |" for line in lines), ""]


def _cell(text: str) -> str:
    parts = _CODE_SPAN.split(" ".join(text.split()))
    return "".join(part if part.startswith("`") else part.replace("|", "\\|") for part in parts)


def indented(lines: Iterable[str]) -> list[str]:
    """Put lines into the body of a tab or a box."""
    return [f"    {line}" if line else "" for line in lines]


def box(kind: str, title: str, lines: Iterable[str], folded: bool = False) -> list[str]:
    """Return a coloured box; a folded one opens at a click."""
    return ["", f'{"???" if folded else "!!!"} {kind} "{title}"', "", *indented(lines), ""]


def tab(title: str, lines: Iterable[str]) -> list[str]:
    """Return one of several tabs that stand in one place."""
    return ["", f'=== "{title}"', "", *indented(lines), ""]


def capital(text: str) -> str:
    """Begin with a capital."""
    return text[:1].upper() + text[1:]


def sentence(text: str) -> str:
    """Begin with a capital and end with a stop."""
    return capital(text) + ("" if text.endswith((".", "!", "?")) else ".")
