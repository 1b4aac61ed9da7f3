"""The matrix as text, Markdown and JSON: pure."""

from __future__ import annotations

from collections.abc import Callable

from mlxprobe.reports.markdown import table
from mlxprobe.reports.phrases import finished
from mlxprobe.schema.record import ProgramRecord
from mlxprobe.schema.texts import inline, one_line
from mlxprobe.upgrade.decision import why_incomparable
from mlxprobe.upgrade.matrix import WITHOUT, Matrix, along, cell, encode, labels, rows

CHANGED = "▸"
WIDTH = 80


def grid(matrix: Matrix) -> list[tuple[str, ...]]:
    """Return the head and a row per program; a cell that differs from its left neighbour is marked."""
    head = ("program", *labels(matrix.records))
    return [head, *((name, *_cells(matrix, found)) for name, found in rows(matrix))]


def _cells(matrix: Matrix, found: list[ProgramRecord | None]) -> list[str]:
    cells = (cell(before, one) for _, before, one in along(matrix.records, found))
    return [CHANGED + text if changed else text for text, changed in cells]


def changes(matrix: Matrix) -> list[str]:
    """Say of every change where it is and what is seen after it."""
    told = []
    for name, found in rows(matrix):
        for label, before, one in along(matrix.records, found):
            if cell(before, one)[1] and one is not None and before is not None:
                told.append(f"{name}: {before.outcome} → {one.outcome} at {label}: {one.reason}")
    return told


def text(matrix: Matrix) -> str:
    """Return the grid in columns, then the changes and what was skipped."""
    return finished("\n".join([*_columns(grid(matrix)), "", *_notes(matrix)]) + "\n")


def _columns(lines: list[tuple[str, ...]]) -> list[str]:
    """Put a grid in columns; where that is too wide, each name stands in a line above its cells."""
    widths = [max(len(line[k]) for line in lines) for k in range(len(lines[0]))]
    is_wide = sum(widths) + 2 * len(widths) - 2 > WIDTH
    told = []
    for name, *cells in lines:
        padded = "  ".join(cell.ljust(width) for cell, width in zip(cells, widths[1:], strict=True))
        told += [name, f"    {padded}"] if is_wide else [f"{name.ljust(widths[0])}  {padded}"]
    return told


def markdown(matrix: Matrix) -> str:
    """Return the grid as a table, then the changes and what was skipped."""
    head, *body = grid(matrix)
    return "\n".join([*table(head, body), "", *(f"- {inline(note)}" for note in _notes(matrix))]) + "\n"


def _notes(matrix: Matrix) -> list[str]:
    without = [f"{name} {release}: {reason}" for name in WITHOUT for release, reason in getattr(matrix, name).items()]
    alike = "no outcome changes between these releases" if _is_compared(matrix) else "no program could be compared"
    return [*map(one_line, changes(matrix) or [alike]), *map(one_line, without)]


def _is_compared(matrix: Matrix) -> bool:
    """Return whether a program at least has outcomes on two releases."""
    names = labels(matrix.records)
    told = [{name: one for name, one in zip(names, found, strict=True) if one} for _, found in rows(matrix)]
    return any(len(one) > 1 and not why_incomparable(one) for one in told)


MATRIX_FORMATS: dict[str, Callable[[Matrix], str]] = {
    "text": text,
    "markdown": markdown,
    "json": lambda matrix: encode(matrix).decode(),
}
