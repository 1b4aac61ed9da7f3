"""A rich console that prints no control character of a program's or a record's own."""

from __future__ import annotations

import io
from collections.abc import Iterable

from rich.console import Console, ConsoleOptions, RenderableType
from rich.segment import Segment

from mlxprobe.reports.phrases import trimmed
from mlxprobe.schema.texts import lines


class SafeConsole(Console):
    """A console whose texts hold nothing that a terminal obeys; styles are its own."""

    def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterable[Segment]:
        """Spell out the control characters of each text."""
        for segment in super().render(renderable, options):
            yield segment if segment.control else Segment(lines(segment.text), segment.style)


def printed(what: RenderableType, width: int = 80) -> str:
    """Return a report without colours, `width` columns wide."""
    out = io.StringIO()
    SafeConsole(file=out, width=width, color_system=None, highlight=False).print(what, crop=False)
    return trimmed(out.getvalue())
