"""Put together what one look has shown of each process of a tree."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Collection, Iterator, Mapping
from typing import Any

import psutil

from mlxprobe.supervisor import anatomy
from mlxprobe.supervisor.anatomy import Reading, Readings
from mlxprobe.supervisor.awaited import awaited
from mlxprobe.supervisor.sample import TreeSampler
from mlxprobe.supervisor.spied import Spied
from mlxprobe.values.live import LiveProcess, LiveThread


class Rested:
    """The threads from the start of a look on. We wake what sleeps when we stop it, and that must not count."""

    def __init__(self, first: Readings) -> None:
        self._since_s = time.monotonic()
        self._first = self.before = first
        self._disturbed: Readings = {}
        self.from_s = self._since_s  # what is counted, is counted from here on

    @contextlib.contextmanager
    def disturbed(self, pids: Collection[int]) -> Iterator[None]:
        """Leave out of every count what happens meanwhile."""
        self._disturbed = anatomy.readings(pids)
        yield
        self.before, self.from_s = anatomy.readings(pids), time.monotonic()

    def slept_s(self, key: tuple[int, int], now: Reading) -> float | None:
        """Return for how long a thread has slept, but for being woken by us."""
        first, middle, last = (some.get(key) for some in (self._first, self._disturbed, self.before))
        if None in (now.slept_s, first, middle, last) or first is None or middle is None or last is None:
            return now.slept_s
        woken = last.thread.switches != now.thread.switches or first.thread.switches != middle.thread.switches
        if woken or first.slept_s is None:
            return now.slept_s
        return first.slept_s + time.monotonic() - self._since_s


class Sitter:
    """Who is portrayed: the processes of a tree, with the stacks that were read of them."""

    def __init__(self, tree: TreeSampler, spied: Spied, rested: Rested, looks: Mapping[tuple[int, int], int]) -> None:
        self._tree = tree
        self._spied = spied
        self._rested = rested
        self._looks = looks
        self._counted_s = max(time.monotonic() - rested.from_s, 1e-3)
        self._stacks = {(key[0], spied.numbers.get(key, 0)): stack for key, stack in spied.latest.items()}
        self._pids = tree.pids

    def processes(self, pages: Mapping[int, int]) -> tuple[LiveProcess, ...]:
        """Portray every process; `pages` is what each had read at the start of the look."""
        after = anatomy.readings(self._pids)
        connected = anatomy.connections(sorted(self._pids))
        found = []
        for pid in sorted(self._pids):
            threads = [self._thread(one) for key, one in sorted(after.items()) if key[0] == pid]
            samples = tuple(self._tree.apart.get(pid, ()))
            ran_s = (samples[-1].cpu_s - samples[0].cpu_s) if samples else 0.0
            over_s = (samples[-1].t_s - samples[0].t_s) if samples else 0.0
            found.append(
                LiveProcess(
                    pid=pid,
                    rank=anatomy.rank(pid),
                    python=any(thread.python for thread in threads),
                    gpu=anatomy.on_gpu(pid),
                    rss_bytes=samples[-1].rss_bytes if samples else 0,
                    growth_bytes=samples[-1].rss_bytes - samples[0].rss_bytes if samples else 0,
                    swap_bytes=anatomy.swap_bytes(pid),
                    read_pages=anatomy.pages_read(pid) - pages.get(pid, anatomy.pages_read(pid)),
                    cpu_share=round(ran_s / over_s, 3) if over_s > 0 else 0.0,
                    threads=tuple(threads),
                    connections=tuple(connected.get(pid, ())),
                    samples=samples,
                    **self._named(pid),
                )
            )
        return tuple(found)

    def _named(self, pid: int) -> dict[str, Any]:
        try:
            process = psutil.Process(pid)
            with process.oneshot():
                age_s = max(time.time() - process.create_time(), 0.0)
                return {"parent": process.ppid(), "command": tuple(process.cmdline()), "age_s": round(age_s, 1)}
        except psutil.Error:
            return {}

    def _thread(self, now: Reading) -> LiveThread:
        key = now.thread.pid, now.thread.number
        then, slept_s = self._rested.before.get(key), self._rested.slept_s(key, now)
        ran_s = now.cpu_s - then.cpu_s if then else 0.0
        stack = self._stacks.get(key)
        waits = awaited(now.thread, self._pids)
        return LiveThread(
            number=now.thread.number,
            state=now.thread.state,
            name=stack.thread if stack else "",
            python=stack is not None,
            bystander=stack is not None and (key[0], stack.thread) in self._spied.bystanders,
            cpu_s=round(ran_s, 4),
            cpu_share=round(ran_s / self._counted_s, 3),
            switches=now.thread.switches - then.thread.switches if then else 0,
            slept_s=None if slept_s is None else round(slept_s, 3),
            looks=self._looks.get(key, 0),
            waits=waits.words,
            outer=waits.outer,
            stack=stack,
        )
