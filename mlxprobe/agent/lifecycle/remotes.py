"""Ranks that a launcher starts on other hosts by ssh: our variables do not reach them, and so nobody watches them."""

from __future__ import annotations

import re
from typing import Any

from mlxprobe.protocol.facts.processes import RemoteRank

RANK = r"\bMLX_RANK=(\d+)"
COMMAND = r"(?s)\bcmd=\((.*)\); exec "  # as mlx.launch has it in its script
CHARACTERS = 400


def remote(args: Any) -> RemoteRank | None:
    """Return host, rank and command of a rank that these words of a new process start elsewhere; None if they do not.

    Args:
        args: as of `subprocess.Popen`: a list, or a shell's line.
    """
    text = args if isinstance(args, str) else " ".join(map(str, args)) if isinstance(args, (list, tuple)) else ""
    rank = re.search(RANK, text) if text.lstrip().startswith("ssh ") else None
    if rank is None:
        return None
    import shlex  # seldom, and it takes as long as three of our modules

    words = shlex.split(text) if isinstance(args, str) else list(map(str, args))
    found = re.search(COMMAND, words[-1])
    told = found[1] if found else ""
    host, command = words[-2][:CHARACTERS], told if len(told) < CHARACTERS else ""
    return RemoteRank(host=host, rank=int(rank[1]), command=command)
