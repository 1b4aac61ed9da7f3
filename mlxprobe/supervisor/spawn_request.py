"""The encoding of the request that names the program of a reaper."""

from __future__ import annotations

import os

TYPE_CHECKING = False  # as `typing` has it, for which a reaper would wait
if TYPE_CHECKING:
    from collections.abc import Sequence

NULL, DIGITS = b"\0", 10  # of the order's size


def order(*parts: Sequence[str]) -> bytes:
    """Put into bytes what a reaper is to start.

    The parts are folder and session (`own`, or `same` for a program that has the supervisor's terminal), the program's
    words, its environment, and the numbers of its blocked signals and of the descriptors that it was handed.

    Raises:
        ValueError: there is a null byte in a word.
    """
    lists = [[os.fsencode(word) for word in part] for part in parts]
    if any(NULL in word for part in lists for word in part):
        raise ValueError("embedded null byte")
    text = NULL.join(word for part in lists for word in (b"%d" % len(part), *part))
    return b"%*d%b" % (DIGITS, len(text), text)


def ordered(control: int) -> list[list[str]]:
    """Read such an order, and nothing of what follows it; nothing at all where the supervisor is gone."""
    words, parts = iter(os.fsdecode(exactly(int(exactly(DIGITS, control) or 0), control)).split(os.fsdecode(NULL))), []
    for count in filter(None, words):
        parts.append([next(words) for _ in range(int(count))])
    return parts


def exactly(size: int, control: int) -> bytes:
    """Read exactly `size` bytes; none where they do not come."""
    heard = b""
    while len(heard) < size:
        if not (more := os.read(control, size - len(heard))):
            return b""
        heard += more
    return heard
