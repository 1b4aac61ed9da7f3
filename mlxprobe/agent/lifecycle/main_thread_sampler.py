"""Where the main thread is between steps; of a rank, while it evaluates nothing: others may wait for what it does."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable
from types import FrameType

from mlxprobe.agent.introspection import call_site
from mlxprobe.agent.introspection.code_ownership import OWN
from mlxprobe.agent.recording.recorder import Recorder
from mlxprobe.protocol.facts.ranks import OwnWork

MOST_LINES = 200
MOSTLY = 0.5  # of the looks outside evaluations
ENOUGH = 8  # of them


class Work:
    """Count, ten times a second, the lines of somebody's code that are being executed, but not when `elsewhere`."""

    def __init__(self, elsewhere: Callable[[], bool]) -> None:
        self._elsewhere = elsewhere
        self._thread = threading.main_thread().ident or 0
        self._looks = self._at_work = 0
        self._times: dict[call_site.Site, int] = {}
        self._ways: dict[call_site.Site, tuple[call_site.Site, ...]] = {}

    def look(self) -> None:
        """Look once; on a thread of ours."""
        self._looks += 1
        if not self._elsewhere():
            frame = sys._current_frames().get(self._thread)
            if way := _lines(frame):
                self._at_work += 1
                for depth, line in enumerate(way):
                    if line in self._times or len(self._times) < MOST_LINES:
                        self._times[line] = self._times.get(line, 0) + 1
                        self._ways.setdefault(line, way[depth:])

    def tell(self, recorder: Recorder) -> None:
        """Tell of the innermost line that takes most of it, with the lines that led there."""
        often = self._often()
        if often:
            line = max(often, key=lambda one: len(self._ways[one]))
            way = tuple(map(call_site.brief, self._ways[line]))
            recorder.revise(OwnWork(looks=self._looks, at_work=self._at_work, way=way), line)

    def most(self) -> str:
        """Name the innermost line of the user's own that takes most of it; nothing after too few looks."""
        own = [line for line in self._often() if call_site.whose(line[0]) == OWN] if self._at_work >= ENOUGH else []
        return call_site.brief(max(own, key=lambda one: len(self._ways[one]), default=call_site.NOWHERE))

    def _often(self) -> list[call_site.Site]:
        return [line for line, times in self._times.items() if times > MOSTLY * self._at_work]


def _lines(frame: FrameType | None) -> tuple[call_site.Site, ...]:
    """List the lines that a frame and those around it execute, innermost first; each function's once."""
    found: list[call_site.Site] = []
    while frame is not None:
        here = frame.f_code.co_filename, frame.f_lineno
        if call_site.is_users(here[0]) and here not in found:
            found.append(here)
        frame = frame.f_back
    return tuple(found)
