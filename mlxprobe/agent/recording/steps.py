"""Steps and losses, gathered and sent many to a line."""

from __future__ import annotations

import math
import os
from collections.abc import Callable
from typing import Any

from mlxprobe.agent.patching.signatures import like
from mlxprobe.agent.wire import bound
from mlxprobe.agent.wire.channel import Channel

FLUSH_S = 0.02  # a program that hangs while C code holds the interpreter's lock takes at most so much with it
MOST = 30  # steps, and losses, a line: as long as they may be, they fit
KEPT = 10_000  # steps for which the supervisor had no room
TENTHS_OF_US = 1e7
LOCKED_S, PAUSE_S = 0.05, 0.001
LEAVING = ("_exit", "abort", "execv", "execve")


def number(value: float | None) -> float | str | None:
    """JSON has no NaN."""
    return value if value is None or math.isfinite(value) else str(value)


class StepLog:
    """Gather steps until `FLUSH_S` have passed since the last word; the agent's own thread may send them too."""

    def __init__(self, channel: Channel) -> None:
        self._channel = channel
        self._ended_s = 0.0  # the last step
        self.forked()

    def forked(self) -> None:
        """Forget what the parent will send, and whose turn it was: another thread's, perhaps."""
        self._turn: dict[str, object] = {}  # the call of `flush` that sends
        self._rows: list[tuple[Any, ...]] = []
        self._losses: list[tuple[int, float, int]] = []

    def flush_at_leaving(self, left: Callable[[int | None], None]) -> None:
        """Call `left` with the exit code, if any, before the program leaves past Python's own ending."""
        for name in LEAVING:
            setattr(os, name, self._flush_before(getattr(os, name), left))

    def _flush_before(self, original: Callable[..., Any], left: Callable[[int | None], None]) -> Callable[..., Any]:
        @like(original)
        def leave(*args: Any, **kwargs: Any) -> Any:
            left(args[0] if args and isinstance(args[0], int) else kwargs.get("status"))
            return original(*args, **kwargs)

        return leave

    def read(self, call: int, value: float, stream: int) -> None:
        """A loss was read."""
        self._losses.append((call, value, stream))

    def add(self, n: int, step_s: float, gradients: int, active_bytes: int, now_s: float, *seen: Any) -> None:
        """Step `n` ended at `now_s`; `seen` are pending operations and gradient, of a step that was looked at."""
        self._rows.append((n, step_s, gradients, active_bytes, *seen))
        self._ended_s = now_s
        if now_s - self._channel.sent_s > FLUSH_S or seen:
            self.flush()

    def flush(self, *, patient: bool = False) -> bool:
        """Send what waits, and tell whether there was anything. What finds no room stays for the next time.

        A lock would stay held where a signal handler raises right after it was acquired. A turn has a name: it is given
        back whether or not this call knows yet that it has it, and nothing is called for that.
        """
        if not (self._rows or self._losses):
            return False
        turn, mine = self._turn, object()
        try:
            if self._has_turn(mine):
                while (self._rows or self._losses) and self._send_some(patient):
                    pass
                del self._rows[:-KEPT], self._losses[:-KEPT]
        finally:
            if "of" in turn and turn["of"] is mine:
                del turn["of"]
        return True

    def _has_turn(self, mine: object) -> bool:
        """Wait until nobody else sends, `LOCKED_S` at most: it may be a call that a signal handler has interrupted."""
        until = 0.0
        while self._turn.setdefault("of", mine) is not mine:
            now_s = bound.monotonic()
            until = until or now_s + LOCKED_S
            if now_s > until:
                return False
            bound.sleep(PAUSE_S)
        return True

    def _send_some(self, patient: bool) -> bool:
        """Send one line, while another thread may add at the end; return whether it found room.

        Where a signal handler raises, the line counts as sent once its writing has begun.
        """
        rows, losses = self._rows[:MOST], self._losses[:MOST]
        later_s = sum(row[1] for row in self._rows[len(rows) :])
        steps, values = len(rows), len(losses)
        writes, sent, over = self._channel.writes, False, False
        try:
            sent = self._channel.send(
                "steps",
                at=self._ended_s - later_s if rows else None,
                patient=patient,
                rows=[(n, max(0, int(step_s * TENTHS_OF_US)), *rest) for n, step_s, *rest in rows],
                losses=[(call, number(value), stream) for call, value, stream in losses],
            )
            over = True
        finally:
            if sent or not (over or self._channel.writes == writes):
                del self._rows[:steps], self._losses[:values]
        return sent


class Window:
    """The gradient calls since the last update, and whose they are."""

    def __init__(self) -> None:
        self.calls = 0
        self.of = 0  # that the last update took
        self.least = self.most = 0  # that updates took, without the first: calls before it are no part of a step
        self.stream = self.applies = -1  # of the last of them, and of the last before an update

    def takes(self, updates: int) -> None:
        """Count an update with another number of gradient calls than the last; `updates` is the total so far."""
        if updates > 1:
            known = [self.calls, *([self.of] if updates > 2 else [])]
            self.least, self.most = min([*known, self.least or self.calls]), max([*known, self.most])
        self.of = self.calls

    def left(self) -> tuple[int, int]:
        """Return how many calls wait for an update, and how many the last one took: those of inputs wait for none."""
        return (self.calls if self.stream == self.applies else 0), self.of
