"""Read MLX's memory counters, on the program's own threads alone; tell stacks, on a thread of ours, when asked."""

from __future__ import annotations

import contextlib
import faulthandler
import os
import signal
import sys
from collections.abc import Callable

from mlxprobe.agent.introspection import call_site
from mlxprobe.agent.patching.interrupts import let_through
from mlxprobe.agent.recording.fact_sender import brief
from mlxprobe.agent.recording.steps import FLUSH_S, StepLog
from mlxprobe.agent.wire import bound, threads
from mlxprobe.agent.wire.channel import Channel
from mlxprobe.agent.wire.constants import STACK_SIGNAL, STACKS_END, THEIRS
from mlxprobe.protocol.facts.work import DetectorFailed

_handler = signal.getsignal
NONE = -1  # no descriptor
SILENT_S = 0.3
STOPS_WITHIN_S = 5.0
INTERVAL_S = 0.1  # between two looks for a question: each takes the interpreter's lock from the program for a moment


class Sampler:
    """Send active, cache and peak memory when told to `count`; every `INTERVAL_S` look for the file `ask`.

    Where it is there, every thread's stack goes to the descriptor `stacks`, and `answer` tells what else is known. Our
    thread calls nothing of MLX's: the counters take no lock of MLX's today, but the first call makes a GPU's allocator
    and device, on a thread and at a moment that the program did not choose. What a long evaluation holds meanwhile, its
    peak tells afterwards.
    """

    def __init__(self, channel: Channel, log: StepLog, ask: str, stacks: int, answer: Callable[[], None]) -> None:
        self._channel = channel
        self._log = log
        self._ask = ask
        self._stacks = stacks
        self._answer = answer
        self.looks: list[Callable[[], None]] = []  # what is looked at every time
        self._last = (0, 0, 0)
        self._over = False
        self._runs = bound.allocate_lock()  # held until it is to stop
        self._runs.acquire()
        self._thread: threads.Thread | None = None
        try:
            self._thread = threads.Thread(self._run)
        except Exception as error:  # no thread to be had
            let_through(error)
            channel.tell(DetectorFailed(detector="Sampler", error=brief(error)), call_site.told(call_site.NOWHERE))
            return
        channel.send("thread", id=self._thread.native_id)  # from here: it may never get the interpreter's lock

    def _run(self) -> None:
        with contextlib.suppress(Exception):  # no traceback of ours in the program's stderr
            self._look()

    def _look(self) -> None:
        told = False
        while not self._runs.acquire(timeout=INTERVAL_S):
            if is_theirs() and not told:
                told = True
                with contextlib.suppress(OSError):
                    bound.close(bound.open_file(self._ask + THEIRS, os.O_WRONLY | os.O_CREAT, 0o600))
            for look in self.looks:
                with contextlib.suppress(Exception):
                    look()
            if self._stacks != NONE and _asked(self._ask):
                with contextlib.suppress(Exception):  # the program goes on meanwhile
                    self._answer()
                faulthandler.dump_traceback(file=self._stacks, all_threads=True)
                bound.write(self._stacks, STACKS_END)
            silent_s = bound.monotonic() - self._channel.sent_s
            if silent_s > FLUSH_S:
                self._log.flush()  # the program may be inside a call that it never leaves
            if silent_s > SILENT_S:
                with contextlib.suppress(Exception):
                    self._answer()  # it may be ended before it is asked

    def count(self) -> None:
        """Send the counters where they have changed; 1 µs."""
        mx = sys.modules.get("mlx.core")
        if self._over or mx is None or not hasattr(mx, "get_peak_memory"):
            return
        counters = mx.get_active_memory(), mx.get_cache_memory(), mx.get_peak_memory()
        if counters != self._last:
            self._channel.send("memory", active=counters[0], cache=counters[1], peak=counters[2])
            self._last = counters

    def stop(self) -> None:
        """End our thread."""
        if self._thread is not None:
            self._runs.release()
            self._thread.join(STOPS_WITHIN_S)
            self._thread = None

    def finish(self) -> None:
        """Send the counters a last time: the peak of a program is then exact, and its measuring is not its own."""
        self.count()
        self._over = True


def is_theirs() -> bool:
    """Check whether the program has a handler of its own for our signal."""
    return callable(_handler(STACK_SIGNAL))


def _asked(ask: str) -> bool:
    try:
        bound.unlink(ask)  # who removes the file has taken the request or taken it back
    except OSError:
        return False
    return True
