"""The last resort where no reaper ends a program's tree: find its processes by what marks them, and kill them."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from mlxprobe.agent.wire.constants import FOLDER_VARIABLE

if TYPE_CHECKING:
    import psutil

END_WITHIN_S = 5.0


def sweep(folder: Path, session: int) -> tuple[int, ...]:
    """Kill what carries the temporary folder in its environment or is in the session; return what would not die.

    A process that detached itself, was given an empty environment and outlived its reaper is not found.
    A session that is not known is 0, which is also that of what entered a container from outside.
    """
    import psutil  # here, where it is seldom needed: it takes as long to import as a short program does to run

    deadline = time.monotonic() + END_WITHIN_S
    while (living := list(_marked(str(folder), session))) and time.monotonic() < deadline:
        for process in living:
            try:
                process.kill()  # psutil makes sure that the number still means the process that was found
            except psutil.Error:
                continue
        time.sleep(0.01)
    return tuple(process.pid for process in living)


def _marked(folder: str, session: int) -> Iterator[psutil.Process]:
    import psutil

    for process in psutil.process_iter():
        try:
            if process.status() == psutil.STATUS_ZOMBIE and process.num_threads() < 2:
                continue
            if session and os.getsid(process.pid) == session:  # one whose main thread has ended has no environment
                yield process
                continue
            environment = process.environ()
            if folder in (environment.get("TMPDIR"), environment.get(FOLDER_VARIABLE)):
                yield process
        except (psutil.Error, OSError):  # ended meanwhile, or another user's
            continue
