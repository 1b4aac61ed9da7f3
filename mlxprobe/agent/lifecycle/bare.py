"""Run a module of mlxprobe's own under the supervisor with no hook in MLX; it tells of its progress itself."""

from __future__ import annotations

import importlib
import os
import sys

from mlxprobe.agent.lifecycle.agent import keep_stacks
from mlxprobe.agent.wire import bound
from mlxprobe.agent.wire.channel import Channel
from mlxprobe.agent.wire.constants import DEVICE_VARIABLE, STACKS_FILE


def run(words: list[str], channel: Channel, folder: str) -> int:
    """Call `main(words, moved)` of the module that the first word names; `moved(n)` tells that it goes on."""
    channel.send("process", parent=bound.getppid(), pid=bound.getpid(), command=sys.orig_argv[:3], rank=-1, size=0)
    keep_stacks(os.path.join(folder, STACKS_FILE), channel, takes_crashes=True)
    channel.send("begin")
    module = importlib.import_module(words[0])
    if device := os.environ.pop(DEVICE_VARIABLE, ""):
        mx = sys.modules["mlx.core"]
        mx.set_default_device(mx.Device(getattr(mx, device)))
    channel.send("body")
    module.main(words[1:], lambda number: channel.send("tick", n=number))
    channel.send("end")
    return 0
