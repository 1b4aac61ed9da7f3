"""What a row of the table of errors is."""

from __future__ import annotations

from typing import NamedTuple


class Known(NamedTuple):
    """An error that MLX, or what it stands on, is known to end in.

    `pattern` is what its text is known by, `causes` the usual ones, those first that more threads confirm (or a
    maintainer does), `threads` the public ones that all this is taken from, as OWNER/REPOSITORY#NUMBER.
    """

    name: str
    backend: str
    pattern: str
    means: str
    causes: tuple[str, ...]
    do: str
    threads: tuple[str, ...]
