"""Put together what one look has shown of each process of a tree."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

import psutil

from mlxprobe.schema.live import LiveProcess, LiveThread
from mlxprobe.schema.texts import masked
from mlxprobe.supervisor import process_tree_snapshot
from mlxprobe.supervisor.process_tree_snapshot import Reading, Readings
from mlxprobe.supervisor.pyspy_stacks import MLX, PROGRESS, Spied, in_mlx
from mlxprobe.supervisor.sample import TreeSampler
from mlxprobe.supervisor.stack_sampling import Film
from mlxprobe.system.system import system


class Sitter:
    """Who is portrayed: the processes of a tree, with the stacks that were read of them."""

    def __init__(self, tree: TreeSampler, spied: Spied, before: Readings, film: Film) -> None:
        self._tree = tree
        self._spied = spied
        self._before = before
        self._film, self._looks = film, film.looks()
        self._looked_s = max(time.monotonic() - tree.started_s, 1e-3)
        self._stacks = spied.known()
        self._pids = tree.pids

    def processes(self, pages: Mapping[int, int]) -> tuple[LiveProcess, ...]:
        """Portray every process; `pages` is what each had read at the start of the look."""
        after = process_tree_snapshot.readings(self._pids)
        connected = process_tree_snapshot.connections(sorted(self._pids))
        found = []
        for pid in sorted(self._pids):
            threads = [self._thread(one) for key, one in sorted(after.items()) if key[0] == pid]
            samples = tuple(self._tree.apart.get(pid, ()))
            ran_s = (samples[-1].cpu_s - samples[0].cpu_s) if samples else 0.0
            over_s = (samples[-1].t_s - samples[0].t_s) if samples else 0.0
            found.append(
                LiveProcess(
                    pid=pid,
                    rank=process_tree_snapshot.rank(pid),
                    python=any(thread.python for thread in threads),
                    gpu=process_tree_snapshot.on_gpu(pid),
                    may_progress=may_progress(pid, self._before, after, self._spied, self._film),
                    rss_bytes=samples[-1].rss_bytes if samples else 0,
                    growth_bytes=samples[-1].rss_bytes - samples[0].rss_bytes if samples else 0,
                    swap_bytes=system.swap_bytes(pid),
                    read_pages=system.pages_read(pid) - pages.get(pid, system.pages_read(pid)),
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
                return {"parent": process.ppid(), "command": masked(process.cmdline()), "age_s": round(age_s, 1)}
        except psutil.Error:
            return {}

    def _thread(self, now: Reading) -> LiveThread:
        key = now.thread.pid, now.thread.number
        then = self._before.get(key)
        ran_s = now.cpu_s - then.cpu_s if then else 0.0
        stack = self._stacks.get(key)
        line = stack.frames[0].code if stack and stack.frames else ""
        waits = system.awaited(now.thread, self._pids, line)
        return LiveThread(
            number=now.thread.number,
            state=now.thread.state,
            name=stack.thread if stack else "",
            python=stack is not None,
            bystander=stack is not None and (key[0], stack.thread) in self._spied.bystanders,
            cpu_s=round(ran_s, 4),
            waited_s=round(now.waited_s - then.waited_s, 4) if then else 0.0,
            cpu_share=round(ran_s / self._looked_s, 3),
            switches=now.thread.switches - then.thread.switches if then else 0,
            slept_s=None if now.slept_s is None else round(now.slept_s, 3),
            looks=self._looks.get(key, 0),
            proved=self._film.proves(key),
            scope=self._film.scope(key),
            waits=waits.words,
            outer=waits.outer,
            stack=stack,
            native=() if stack else self._spied.inside.get(key, ()),
        )


def may_progress(pid: int, before: Readings, after: Readings, spied: Spied, film: Film) -> bool:
    """Tell whether a process may have done what `watch` takes for progress: MLX ran, or modules were imported.

    It has not where MLX is not loaded, or none of its threads was on a processor and no Python code of it was seen.
    """
    if pid in spied.progressing or film.names(pid, PROGRESS):
        return True
    files = system.mapped(pid)
    if not files or process_tree_snapshot.on_gpu(pid):  # who would compute there is not seen
        return True
    if not any(library in file for file in files for library in MLX):
        return False
    python = {number for (of, _), number in spied.numbers.items() if of == pid}
    inside = any(of == pid and in_mlx(calls) for (of, _), calls in spied.inside.items())
    return inside or any(
        _ran(before.get(key), now) for key, now in after.items() if key[0] == pid and key[1] not in python
    )


def _ran(then: Reading | None, now: Reading) -> bool:
    return then is None or now.cpu_s > then.cpu_s or now.thread.switches != then.thread.switches
