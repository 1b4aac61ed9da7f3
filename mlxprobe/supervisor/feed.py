"""Take in what processes tell, line by line."""

from __future__ import annotations

from typing import Any

import msgspec

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
            except (msgspec.DecodeError, msgspec.ValidationError, KeyError, TypeError, ValueError, AttributeError):
                self.garbled += 1
        return moved

    def take(self, event: dict[str, Any]) -> bool:
        """Take in one event; return whether it is progress."""
        raise NotImplementedError
