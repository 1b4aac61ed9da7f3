"""The first word of a process: it is about to import MLX, which takes long, and may be ended before the agent comes."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Mapping
from typing import Any

from mlxprobe.agent.wire import ranks
from mlxprobe.agent.wire.channel import Channel, lifted
from mlxprobe.agent.wire.shared import EVENTS_FILE, FOLDER_VARIABLE

WORDS, WORD_CHARACTERS = 12, 100  # of the command that are told


def identity() -> dict[str, Any]:
    """Return which process this is."""
    rank, size = ranks.declared()
    words = [word[:WORD_CHARACTERS] for word in sys.orig_argv[:WORDS]]
    return {"parent": os.getppid(), "pid": os.getpid(), "command": words, "rank": rank, "size": size}


def greet(given: Mapping[str, str]) -> None:
    """Tell the supervisor of this process; `given` are our variables."""
    with contextlib.suppress(OSError):  # the supervisor is gone
        file = os.path.join(given.get(FOLDER_VARIABLE, ""), EVENTS_FILE)
        channel = Channel(lifted(os.open(file, os.O_WRONLY | os.O_NONBLOCK)), tag=os.getpid())
        channel.send("process", **identity())
        channel.close()
