"""Where the main thread of a rank is while it evaluates nothing: the others may wait for what it does there."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable
from types import FrameType

from mlxprobe.agent.code import sites
from mlxprobe.agent.record.recorder import Recorder

MOST_LINES = 200
MOSTLY = 0.5  # of the looks outside evaluations


class Work:
    """Count, ten times a second, the lines of somebody's code that are being executed."""

    def __init__(self, evaluating: Callable[[], bool]) -> None:
        self._evaluating = evaluating
        self._thread = threading.main_thread().ident or 0
        self._looks = self._at_work = 0
        self._times: dict[sites.Site, int] = {}
        self._ways: dict[sites.Site, tuple[sites.Site, ...]] = {}

    def look(self) -> None:
        """Look once; on a thread of ours."""
        self._looks += 1
        if not self._evaluating():
            frame = sys._current_frames().get(self._thread)
            if way := _lines(frame):
                self._at_work += 1
                for depth, line in enumerate(way):
                    if line in self._times or len(self._times) < MOST_LINES:
                        self._times[line] = self._times.get(line, 0) + 1
                        self._ways.setdefault(line, way[depth:])

    def tell(self, recorder: Recorder) -> None:
        """Tell of the innermost line that takes most of it, with the lines that led there."""
        often = [line for line, times in self._times.items() if times > MOSTLY * self._at_work]
        if often:
            line = max(often, key=lambda one: len(self._ways[one]))
            way = [sites.brief(one) for one in self._ways[line]]
            recorder.revise("own work", line, looks=self._looks, at_work=self._at_work, way=way)


def _lines(frame: FrameType | None) -> tuple[sites.Site, ...]:
    """List the lines that a frame and those around it execute, innermost first; each function's once."""
    found: list[sites.Site] = []
    while frame is not None:
        here = frame.f_code.co_filename, frame.f_lineno
        if sites.is_users(here[0]) and here not in found:
            found.append(here)
        frame = frame.f_back
    return tuple(found)
