"""Readers of files in /proc, which return nothing where a file cannot be read."""

from __future__ import annotations

import os


def text_of(file: str) -> str:
    """Read a file; empty where it may not be read, and once its process has ended."""
    try:
        with open(file, encoding="utf-8", errors="replace") as opened:
            return opened.read()
    except OSError:
        return ""


def listed(folder: str) -> list[str]:
    """List a folder; nothing where it may not be read."""
    try:
        return os.listdir(folder)
    except OSError:
        return []


def target(link: str) -> str:
    """Return where a link leads; empty where that cannot be read."""
    try:
        return os.readlink(link)
    except OSError:
        return ""
