"""Texts that users read are plain English: none of the words that the project has agreed to avoid."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
BANNED = re.compile(
    r"\b(tells?|told|telling|hears?|heard|anew|nobody|somebody|who(m|se)?ever|whatever|beside|but for|so many|hence|"
    r"stands?|lies|hostile|looked at)\b",
    re.IGNORECASE,
)
EXCEPTIONS = {
    "cannot tell",  # an outcome of `gate`, in records
    "at exit are an error that tells",  # names a trial of the self-test, in its bundles
    "Told | None",  # a type
}
PAGES = [ROOT / "README.md", ROOT / "CHANGELOG.md", *sorted((ROOT / "docs" / "guide").glob("*.md"))]
CODE = sorted((ROOT / "mlxprobe").rglob("*.py"))
SCOPES = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)


def messages(file: Path) -> Iterator[tuple[int, str]]:
    """List the texts of a module with their lines: strings of several words that are no docstrings."""
    tree = ast.parse(file.read_text())
    first = [node.body[0] for node in ast.walk(tree) if isinstance(node, SCOPES) and node.body]
    pages = {id(one.value) for one in first if isinstance(one, ast.Expr)}
    for node in ast.walk(tree):
        text = node.value if isinstance(node, ast.Constant) and id(node) not in pages else None
        if isinstance(text, str) and " " in text.strip():
            yield getattr(node, "lineno", 0), text


def bad(text: str) -> list[str]:
    """Return the words of a text that are to be avoided."""
    for one in EXCEPTIONS:
        text = text.replace(one, "")
    return [word.group() for word in BANNED.finditer(text)]


def test_messages_are_in_plain_english() -> None:
    found = [(file.name, line, words) for file in CODE for line, text in messages(file) if (words := bad(text))]
    assert found == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_pages_are_in_plain_english(page: Path) -> None:
    lines = [line for line in page.read_text().splitlines() if not line.startswith("<!--")]
    assert [(line, words) for line in lines if (words := bad(line))] == []


def test_the_words_are_found() -> None:
    assert bad("what is told of it, whatever it is") == ["told", "whatever"]
    assert bad("the gate cannot tell") == []


def test_the_readme_is_short() -> None:
    assert len((ROOT / "README.md").read_bytes()) <= 9_000
