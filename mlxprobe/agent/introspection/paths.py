"""Write the names of files in few characters."""

from __future__ import annotations

import os


def shown(path: str, most: int) -> str:
    """Return a path from the working folder, or whole where that is shorter; a long one is cut in whole folders.

    The name of the file keeps its beginning and its end.
    """
    try:
        whole = min((path, os.path.relpath(path)), key=len)
    except OSError:  # the working folder has gone
        whole = path
    if len(whole) <= most:
        return whole
    folders, name = os.path.split(whole)
    if len(name) + 2 > most:
        return shortened(name, most)
    kept = ""
    for folder in reversed(folders.split(os.sep)):
        if len(longer := os.path.join(folder, kept)) + len(name) + 2 > most:
            break
        kept = longer
    return os.path.join("…", kept, name)


def shortened(text: str, most: int) -> str:
    """Return a text with its middle left out, where it is long."""
    ends = (most - 1) // 2
    return text if len(text) <= most else f"{text[: most - 1 - ends]}…{text[-ends:]}"
