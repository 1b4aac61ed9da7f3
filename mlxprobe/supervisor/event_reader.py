"""Take in what processes tell, line by line."""

from __future__ import annotations

from typing import Any

import msgspec

NO_SENSE = (msgspec.ValidationError, KeyError, TypeError, ValueError, AttributeError, OverflowError)
SHOWN_CHARACTERS = 60


class Feed:
    """Take in event lines. Those that make no sense are counted, and the first one is kept."""

    def __init__(self) -> None:
        self.garbled = 0
        self.nonsense = ""

    def feed(self, lines: bytes) -> bool:
        """Take in complete lines; return whether they show progress of the program."""
        moved = False
        for line in lines.splitlines():
            try:
                moved |= line.startswith(b"{") and self.take(msgspec.json.decode(line))
                makes_sense = line.startswith(b"{")
            except (msgspec.DecodeError, *NO_SENSE):
                makes_sense = False
            if not makes_sense:
                self.garbled += 1
                self.nonsense = self.nonsense or repr(line[:SHOWN_CHARACTERS].decode(errors="replace"))
        return moved

    def take(self, event: dict[str, Any]) -> bool:
        """Take in one event; return whether it is progress."""
        raise NotImplementedError
