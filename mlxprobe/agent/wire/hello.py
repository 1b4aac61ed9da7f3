"""Identify this process to the supervisor."""

from __future__ import annotations

import sys
from typing import Any

from mlxprobe.agent.wire import bound, ranks

WORDS, WORD_CHARACTERS = 12, 100  # of the command that are told


def identity() -> dict[str, Any]:
    """Return which process this is."""
    rank, size = ranks.declared()
    words = [word[:WORD_CHARACTERS] for word in sys.orig_argv[:WORDS]]
    return {"parent": bound.getppid(), "pid": bound.getpid(), "command": words, "rank": rank, "size": size}
