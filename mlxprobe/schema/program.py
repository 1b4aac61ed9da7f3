"""What is run: all that a program's start needs, and so nothing else is imported for it."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, kw_only=True)
class Program:
    """What to run: the agent's own words, or a `command` that it is carried into (`terminal`: with our streams)."""

    name: str
    argv: tuple[str, ...] = ()
    python: str = ""
    command: tuple[str, ...] = ()
    terminal: bool = False
    cwd: str = ""
    env: Mapping[str, str] = field(default_factory=dict)
    device: str = ""


def is_python(word: str) -> bool:
    """Check whether a command's first word names a Python interpreter."""
    name = os.path.basename(word)
    return name.startswith("python") and not name[6:].strip("0123456789.t")
