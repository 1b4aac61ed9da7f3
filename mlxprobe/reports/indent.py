"""A text for the terminal whose later lines are indented."""

from __future__ import annotations

import re
from collections.abc import Iterator

from rich.cells import cell_len
from rich.console import Console, ConsoleOptions, RenderableType, RenderResult
from rich.text import Text


class Hanging:
    """A text whose second and later lines are indented; what has no space in it, such as a place, is never broken."""

    def __init__(self, text: Text, indent: int = 4) -> None:
        self._text, self._indent = text, indent

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        width = max(options.max_width - self._indent, self._indent)
        first, *rest = self._text.divide(breaks(self._text.plain, width))
        for line in (first, *(Text(" " * self._indent).append_text(line) for line in rest)):
            line.rstrip()
            line.no_wrap, line.overflow = True, "ignore"
            yield line


def breaks(text: str, width: int) -> Iterator[int]:
    """Find where lines begin, of whole words, as many as fit."""
    used = 0
    for word in re.finditer(r"\S+\s*", text):
        if used and used + cell_len(word[0].rstrip()) > width:
            yield word.start()
            used = 0
        used += cell_len(word[0])


def hanging(text: str, style: str = "") -> RenderableType:
    """Return such a text in one style."""
    return Hanging(Text(text, style))
