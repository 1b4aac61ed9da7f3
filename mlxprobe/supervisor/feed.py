"""Take in what processes tell, line by line."""

from __future__ import annotations

from typing import Any

import msgspec

NO_SENSE = (msgspec.ValidationError, KeyError, TypeError, ValueError, AttributeError, OverflowError)
NONSENSE_IS_SURE = 100  # lines; no more of them is read then, for they may come without end


class Feed:
    """Take in event lines. One that makes no sense is counted."""

    def __init__(self) -> None:
        self.garbled = 0

    def feed(self, lines: bytes) -> bool:
        """Take in complete lines; return whether they show progress of the program."""
        moved = False
        for line in lines.splitlines():
            if self.garbled >= NONSENSE_IS_SURE:
                break
            try:
                moved |= self.take(msgspec.json.decode(line))
            except (msgspec.DecodeError, *NO_SENSE):
                self.garbled += 1
        return moved

    def take(self, event: dict[str, Any]) -> bool:
        """Take in one event; return whether it is progress."""
        raise NotImplementedError


def details(told: dict[str, Any]) -> dict[str, Any]:
    """Return the details of a fact as its type has them: anything else as text."""
    return {name: _plain(value) for name, value in told.items()}


def _plain(value: object) -> object:
    if isinstance(value, list):
        return [one if isinstance(one, str) else str(one) for one in value]
    return value if isinstance(value, (str, int, float)) else str(value)
