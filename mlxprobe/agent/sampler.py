"""A thread that reads MLX's memory counters on the clock that the supervisor samples by."""

from __future__ import annotations

import sys
import threading
import time

from mlxprobe.agent.channel import Channel

INTERVAL_S = 0.05


def start(channel: Channel) -> None:
    """Sample active, cache and peak memory every `INTERVAL_S` until the process ends."""

    def sample() -> None:
        last = None
        while True:
            time.sleep(INTERVAL_S)
            mx = sys.modules.get("mlx.core")
            if mx is None or not hasattr(mx, "get_peak_memory"):
                continue
            counters = mx.get_active_memory(), mx.get_cache_memory(), mx.get_peak_memory()
            if counters != last:
                channel.send("memory", active=counters[0], cache=counters[1], peak=counters[2])
                last = counters

    threading.Thread(target=sample, name="mlxprobe sampler", daemon=True).start()
