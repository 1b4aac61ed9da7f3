"""A text for the terminal whose later lines are indented."""

from __future__ import annotations

from rich.console import Console, ConsoleOptions, RenderableType, RenderResult
from rich.padding import Padding
from rich.text import Text


class Hanging:
    """A text whose second and later lines are indented."""

    def __init__(self, text: Text, indent: int = 4) -> None:
        self._text, self._indent = text, indent

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        first, *rest = self._text.wrap(console, max(options.max_width - self._indent, self._indent))
        yield first
        for line in rest:
            yield Padding(line, (0, 0, 0, self._indent))


def hanging(text: str, style: str = "") -> RenderableType:
    """Return such a text in one style."""
    return Hanging(Text(text, style))
