"""The interface of a watched program: a child of ours, or a process that asked to be watched."""

from __future__ import annotations

import time
from pathlib import Path

from mlxprobe.agent.wire.constants import LINE_BYTES
from mlxprobe.supervisor.pipes import ReadEnd


class Target:
    """A program that sends events through a pipe.

    `lost`: nothing more can be learned of it; `left`: descendants that could not be ended; `orphans` are process and
    status of those that only we have reaped; `unstarted` says why the system did not execute it.
    """

    def __init__(self, folder: Path, events: ReadEnd) -> None:
        self.started_s = time.monotonic()
        self.folder = folder
        self.pid = 0
        self.exit_code: int | None = None
        self.exited_s = 0.0
        self.lost = False
        self.unstarted = ""
        self.left: tuple[int, ...] = ()
        self.ends_rest = True
        self.running: tuple[tuple[int, str], ...] = ()  # what it has left, with its command
        self.orphans: list[tuple[int, int]] = []
        self.printed_bytes = 0
        self._events = events
        self._lines = b""

    @property
    def over(self) -> bool:
        """Whether it has ended."""
        raise NotImplementedError

    @property
    def above_pid(self) -> int:
        """The process whose descendants are the program's tree; 0 where it is the program itself."""
        return 0

    @property
    def silenced(self) -> bool:
        """Whether the program, which still runs, has closed the descriptor for its events."""
        return False

    def pump(self, timeout_s: float) -> None:
        """Wait for at most `timeout_s` for news, then read what has come in."""
        raise NotImplementedError

    def take_events(self) -> bytes:
        """Return the complete event lines that have come in, and forget them."""
        end = self._lines.rfind(b"\n") + 1
        if len(self._lines) - end > LINE_BYTES:  # no line of the agent's is that long
            end = len(self._lines)
        lines, self._lines = self._lines[:end], self._lines[end:]
        return lines

    def unfinished_events(self) -> int:
        """Return how many bytes wait for the end of their line."""
        return len(self._lines)

    def output(self) -> str:
        """Return the end of what the program printed on both streams, where that is known."""
        return ""

    def finish(self, ended: str) -> None:
        """Take the tree down, `ended` as in `Observation`; what a program has left at its end may live on.

        A user's run goes on where the reaper is gone: it was not asked to end.
        """
        if ended == "lost" and not self.ends_rest:
            self.outlive()
        elif self.over and not self.ends_rest and ended in ("exited", "not-started"):
            self.release()
        else:
            self.end(gently=ended in ("stalled", "timeout", "enough"))  # what eats memory gets no time to eat more

    def release(self) -> None:
        """Let live on what a program that has ended has left."""
        self.end(gently=False)

    def outlive(self) -> None:
        """Let the program go on to its end, without its supervisor."""
        self.end(gently=False)

    def leave(self) -> None:
        """Stop watching a process that goes on."""
        raise RuntimeError("a child is ended, never left")

    def send(self, number: int, came_s: float) -> None:
        """Hand on a signal that came to us at a time, unless it went to the program's whole process group anyway."""

    def end(self, *, gently: bool) -> None:
        """Take the tree down: SIGTERM first where there is reason to, then SIGKILL until nothing is left."""
        raise NotImplementedError
