"""A thread that reads MLX's memory counters on the supervisor's clock, and tells stacks when asked."""

from __future__ import annotations

import faulthandler
import os
import sys
import threading
import time

from mlxprobe.agent.channel import Channel

INTERVAL_S = 0.1  # each sample takes the interpreter's lock from the program for a moment


def start(channel: Channel, ask: str, stacks: int) -> None:
    """Every `INTERVAL_S` until the process ends, sample active, cache and peak memory, and look for the file `ask`.

    Where it is there, every thread's stack goes to the descriptor `stacks`.
    """

    def sample() -> None:
        last = None
        while True:
            time.sleep(INTERVAL_S)
            if _asked(ask):
                faulthandler.dump_traceback(file=stacks, all_threads=True)
            mx = sys.modules.get("mlx.core")
            if mx is None or not hasattr(mx, "get_peak_memory"):
                continue
            counters = mx.get_active_memory(), mx.get_cache_memory(), mx.get_peak_memory()
            if counters != last:
                channel.send("memory", active=counters[0], cache=counters[1], peak=counters[2])
                last = counters

    threading.Thread(target=sample, name="mlxprobe sampler", daemon=True).start()


def _asked(ask: str) -> bool:
    try:
        os.unlink(ask)  # who removes the file has taken the request or taken it back
    except OSError:
        return False
    return True
