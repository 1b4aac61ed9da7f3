"""Which of many arrays are held up to the end of a step: a few, and others the next time."""

from __future__ import annotations

from typing import Any

HELD_BYTES = 1_000_000
HELD_SHARE = 0.05  # of all of them: what we keep alive until the step is complete must not raise the peak


class Turns:
    """Take arrays in turn, as many as may be held at a time."""

    def __init__(self) -> None:
        self._turn = 0

    def choose(self, named: list[tuple[str, Any]]) -> list[tuple[str, Any]]:
        """Return those whose turn it is."""
        budget = max(HELD_BYTES, HELD_SHARE * sum(one.nbytes for _, one in named))
        held, at = [], 0
        for at in range(len(named)):
            path, one = named[(self._turn + at) % len(named)]
            if one.nbytes <= budget:
                budget -= one.nbytes
                held.append((path, one))
            elif held:
                break
        self._turn += at + 1 if len(held) == len(named) else max(1, at)
        return held
