"""Record the lines of the user's functions that run, where no other tracer is set."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import CodeType, FrameType
from typing import Any

from mlxprobe.agent.introspection import call_site

MOST = 2000  # lines of one call: a loop has shown all of its lines by then


class Lines:
    """The lines that ran, by function; all count as run where they could not be followed."""

    def __init__(self) -> None:
        self._ran: dict[CodeType, set[int]] | None = None

    def have_run(self, code: CodeType, line: int) -> bool:
        """Return whether a line of a function ran when it was followed last."""
        return self._ran is None or code not in self._ran or line in self._ran[code]

    @contextmanager
    def followed(self) -> Iterator[None]:
        """Follow the lines that run meanwhile; a debugger, or what measures coverage, is left alone."""
        if sys.gettrace() is not None:
            self._ran = None
            yield
            return
        ran = self._ran = {}

        def begin(frame: FrameType, event: str, _: Any) -> Any:
            code = frame.f_code
            if not call_site.is_users(code.co_filename):
                return None
            lines, left = ran.setdefault(code, set()), MOST

            def follow(frame: FrameType, event: str, _: Any) -> Any:
                nonlocal left
                lines.add(frame.f_lineno)
                left -= 1
                return follow if left else None

            return follow

        sys.settrace(begin)
        try:
            yield
        finally:
            if sys.gettrace() is begin:
                sys.settrace(None)
