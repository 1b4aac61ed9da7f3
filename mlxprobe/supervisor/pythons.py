"""The Pythons that a watched command has started, as each records at its start (see `agent/bootstrap`)."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from mlxprobe.agent.wire.constants import PYTHONS_FILE

OLDEST = (3, 10)  # that the agent goes into


class Python(NamedTuple):
    """One of them."""

    pid: int
    version: str
    executable: str

    @property
    def is_too_old(self) -> bool:
        """Whether the agent stays out of it."""
        return tuple(int(part) for part in self.version.split(".")) < OLDEST

    def __str__(self) -> str:
        return f"{self.executable} (Python {self.version})"


def pythons(folder: Path) -> list[Python]:
    """Return them in the order of their starts."""
    try:
        text = (folder / PYTHONS_FILE).read_text("utf-8", "surrogateescape")
    except OSError:
        return []
    lines = (line.split(" ", 2) for line in text.splitlines())
    return [Python(int(words[0]), *words[1:]) for words in lines if len(words) == 3]
