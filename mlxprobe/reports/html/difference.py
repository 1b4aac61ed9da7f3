"""A broken loop beside the correct one, the differing words of a line marked: pure."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator

from mlxprobe.reports.html.guide import Guide
from mlxprobe.reports.side_by_side import aligned, body_of
from mlxprobe.schema.observation import Value

Piece = tuple[str, bool]  # a part of a line, and whether the other side has something else there
ALIKE = 0.4  # lines less alike than this are other lines, not changed ones
_WORD = re.compile(r"\w+|\s+|.")


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
