"""Read MLX's memory counters, on a thread while the program runs and once at its end; tell stacks when asked."""

from __future__ import annotations

import faulthandler
import os
import sys
import threading
import time

from mlxprobe.agent.channel import Channel

INTERVAL_S = 0.1  # each sample takes the interpreter's lock from the program for a moment


class Sampler:
    """Every `INTERVAL_S` send active, cache and peak memory, and look for the file `ask`.

    Where it is there, every thread's stack goes to the descriptor `stacks`.
    """

    def __init__(self, channel: Channel, ask: str, stacks: int) -> None:
        self._channel = channel
        self._ask = ask
        self._stacks = stacks
        self._last = (0, 0, 0)
        self._over = False
        threading.Thread(target=self._run, name="mlxprobe sampler", daemon=True).start()

    def _run(self) -> None:
        self._channel.send("thread", id=threading.get_native_id())
        while True:
            time.sleep(INTERVAL_S)
            if _asked(self._ask):
                faulthandler.dump_traceback(file=self._stacks, all_threads=True)
            if not self._over:
                self._send()

    def finish(self) -> None:
        """Send the counters a last time: the peak of a program is then exact, and its measuring is not its own."""
        if not self._over:
            self._over = True
            self._send()

    def _send(self) -> None:
        mx = sys.modules.get("mlx.core")
        if mx is None or not hasattr(mx, "get_peak_memory"):
            return
        counters = mx.get_active_memory(), mx.get_cache_memory(), mx.get_peak_memory()
        if counters != self._last:
            self._channel.send("memory", active=counters[0], cache=counters[1], peak=counters[2])
            self._last = counters


def _asked(ask: str) -> bool:
    try:
        os.unlink(ask)  # who removes the file has taken the request or taken it back
    except OSError:
        return False
    return True
