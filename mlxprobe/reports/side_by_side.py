"""Two variants' code side by side, what differs marked: pure."""

from __future__ import annotations

import ast
import difflib
import textwrap
from collections.abc import Iterator

from rich.table import Table
from rich.text import Text

Line = tuple[str, str, str]  # mark (" ", "-", "+" or "~"), left, right


def body_of(source: str, function: str) -> list[str]:
    """Return a function's lines without its decorators, signature and docstring, dedented."""
    tree = ast.parse(source)
    node = next(one for one in tree.body if isinstance(one, ast.FunctionDef) and one.name == function)
    first = node.body[1 if ast.get_docstring(node) and len(node.body) > 1 else 0]
    lines = source.splitlines()[first.lineno - 1 : node.end_lineno]
    return textwrap.dedent("\n".join(lines)).splitlines()


def aligned(left: list[str], right: list[str]) -> Iterator[Line]:
    """Pair the lines of two bodies; a line that is changed, only left or only right is marked so."""
    matcher = difflib.SequenceMatcher(None, left, right, autojunk=False)
    for tag, i1, i2, j1, j2 in matcher.get_opcodes():
        for k in range(max(i2 - i1, j2 - j1)):
            mine = left[i1 + k] if i1 + k < i2 else None
            its = right[j1 + k] if j1 + k < j2 else None
            mark = " " if tag == "equal" else "-" if its is None else "+" if mine is None else "~"
            yield mark, mine or "", its or ""


def side_by_side(source: str, broken: str, correct: str, width: int) -> Table:
    """Return both bodies as a table of two columns, `width` wide in all, differing lines marked and coloured."""
    column = (width - 6) // 2
    table = Table(box=None, padding=(0, 1), header_style="bold")
    table.add_column("", width=1)
    table.add_column(broken, width=column)
    table.add_column(correct, width=column)
    for mark, left, right in aligned(body_of(source, broken), body_of(source, correct)):
        same = mark == " "
        mine, its = folded(left, column), folded(right, column)
        table.add_row(mark, Text(mine, "" if same else "red"), Text(its, "" if same else "green"))
    return table


def folded(line: str, width: int) -> str:
    """Fold a line of code, what follows indented more than it was."""
    indent = line[: len(line) - len(line.lstrip())] + "    "
    return "\n".join(textwrap.wrap(line, width, subsequent_indent=indent, break_on_hyphens=False))
