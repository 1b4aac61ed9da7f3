"""Checks of settings: the text or value in, the checked value out; a ValueError or TypeError where it is none."""

from __future__ import annotations

import math
import os
import re
import shlex
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from packaging.requirements import Requirement

NULL = "\0"
_BYTES = {"": 1, "k": 10**3, "m": 10**6, "g": 10**9, "t": 10**12, "ki": 2**10, "mi": 2**20, "gi": 2**30, "ti": 2**40}
_SECONDS = {"": 1.0, "ms": 1e-3, "s": 1.0, "min": 60.0, "h": 3600.0}
LEAST_S, MOST_S = 1e-3, 1e4 * 3600
LEAST_SHARE, MOST_BYTES = 1e-4, 2**50
SHOWN_CHARACTERS = 80


def whole(low: int, high: int) -> Callable[[Any], int]:
    """Return a check for whole numbers from `low` to `high`."""

    def check(value: Any) -> int:
        number = int(str(value))
        if not low <= number <= high:
            raise ValueError
        return number

    return check


def seconds(value: Any) -> float:
    """Read a time from 1ms to 10000h, such as 90, 1.5s, 250ms or 2min."""
    found = re.fullmatch(r"([\d.]+)\s*([a-z]*)", str(value).strip().lower())
    time_s = float(found[1]) * _SECONDS[found[2]] if found and found[2] in _SECONDS else math.nan
    if not LEAST_S <= time_s <= MOST_S:
        raise ValueError
    return time_s


def size(value: Any) -> int | float:
    """Read a size in bytes, such as 4GB or 512MiB; or a share of the machine's memory, such as 40% (0.4)."""
    text = str(value).strip().lower()
    if text.endswith("%"):
        share = float(text[:-1]) / 100
        if not LEAST_SHARE <= share <= 1:
            raise ValueError
        return share
    found = re.fullmatch(r"([\d.]+)\s*([kmgt]?i?)b?", text)
    size_bytes = float(found[1]) * _BYTES[found[2]] if found and found[2] in _BYTES else math.nan
    if not 1 <= size_bytes <= MOST_BYTES:
        raise ValueError
    return int(size_bytes)


def choice(*words: str) -> Callable[[Any], str]:
    """Return a check for one of `words`."""

    def check(value: Any) -> str:
        if value not in words:
            raise ValueError
        return str(value)

    return check


def folder(value: Any) -> str:
    """Read the name of a folder."""
    if not isinstance(value, str) or not value or NULL in value:
        raise ValueError
    return value


def shown(value: Any) -> str:
    """Return a refused value as a message can show it."""
    try:
        text = repr(value)
    except (ValueError, RecursionError):  # an integer with more digits than Python writes; tables within tables
        return f"this {type(value).__name__}"
    return text if len(text) <= SHOWN_CHARACTERS else text[: SHOWN_CHARACTERS - 1] + "…"


def folders(value: Any) -> tuple[str, ...]:
    """Read one folder or a list of folders; the environment separates them as PATH does."""
    given = value.split(os.pathsep) if isinstance(value, str) else value
    if not isinstance(given, (list, tuple)):
        raise TypeError
    return tuple(folder(entry) for entry in given if entry != "")


def packages(value: Any) -> tuple[str, ...]:
    """Read a list of requirements: `transformers>=4.40`, or a path; the environment separates them by blanks."""
    given = shlex.split(value) if isinstance(value, str) else value
    if not isinstance(given, (list, tuple)) or not all(isinstance(entry, str) and NULL not in entry for entry in given):
        raise ValueError
    from packaging.requirements import Requirement  # takes as long to import as everything else here

    if any(not is_path(entry) and _is_mlx(Requirement(entry)) for entry in given):
        raise ValueError
    return tuple(given)


def is_path(requirement: str) -> bool:
    """Return whether a requirement is a path, as pip does: it begins with a dot or a slash, or is a wheel."""
    return requirement.startswith((".", "/", "~")) or (requirement.endswith(".whl") and "@" not in requirement)


def _is_mlx(requirement: Requirement) -> bool:
    """Return whether a requirement names MLX itself, whose release the project does not choose."""
    return re.fullmatch(r"mlx([-_.](cpu|cuda.*|metal))?", requirement.name.lower()) is not None
