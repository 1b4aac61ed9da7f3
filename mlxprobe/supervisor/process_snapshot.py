"""Snapshots of processes that we did not start: threads, memory, connections, and whose code is whose."""

from __future__ import annotations

import contextlib
import os
import re
import time
from collections.abc import Collection, Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

import psutil

from mlxprobe.agent.introspection.code_ownership import INSTALLED, LIBRARY, PACKAGE, Roots
from mlxprobe.schema.live import Connection, LiveProcess, LiveThread
from mlxprobe.schema.texts import masked
from mlxprobe.supervisor.pyspy_stacks import MLX, PROGRESS, PySpyStacks, in_mlx
from mlxprobe.system.interface import Thread
from mlxprobe.system.system import system

if TYPE_CHECKING:
    from mlxprobe.supervisor.sample import TreeSampler
    from mlxprobe.supervisor.stack_sampling import StackSampling

MOST_CONNECTIONS = 32
NO_TIME = (0, 0)
GPU_DRIVERS = ("libcuda.so", "/dev/nvidia")
_PYTHON = re.compile(r"(?:^|/)(?:lib)?python3[\w.]*(?: \(deleted\))?$|/libpython3[\w.]*$")
_CORE = re.compile(r"(/\S*/mlx)/core\.[^/]*$")


class Reading(NamedTuple):
    """A thread at one moment; `slept_s` is None where the system does not report it."""

    thread: Thread
    cpu_s: float
    waited_s: float  # for a processor
    slept_s: float | None


Readings: TypeAlias = dict[tuple[int, int], Reading]  # by process and thread


def readings(pids: Collection[int]) -> Readings:
    """Read all threads of some processes."""
    threads = system.threads(pids)
    slept_s = system.slept_s(threads)
    times = {(pid, number): one for pid in pids for number, one in system.times(pid).items()}
    found: Readings = {}
    for one in threads:
        key = one.pid, one.number
        used_ns, waited_ns = times.get(key, NO_TIME)
        found[key] = Reading(one, used_ns / 1e9, waited_ns / 1e9, slept_s.get(key))
    return found


def rank(pid: int) -> int:
    """Return the rank that MLX's launcher gave a process; -1 without one, or where it may not be read."""
    given = system.environment(pid).get("MLX_RANK", "")
    return int(given) if given.isdigit() else -1


def is_python(process: psutil.Process) -> bool:
    """Check whether a process runs Python: by its file, or by the library that it has loaded."""
    try:
        if _PYTHON.search(process.exe()):
            return True
        return any(map(_PYTHON.search, system.mapped(process.pid)))
    except psutil.Error:
        return False


def has_ended(pid: int) -> bool:
    """Check whether a process has ended with all its threads, also where its parent has not waited for it."""
    try:
        process = psutil.Process(pid)
        return bool(process.status() == psutil.STATUS_ZOMBIE and process.num_threads() < 2)
    except psutil.Error:
        return True


def on_gpu(pid: int) -> bool:
    """Check whether a process has a GPU's driver loaded: the load of a GPU cannot be read from outside."""
    return any(name in file for file in system.mapped(pid) for name in GPU_DRIVERS)


def connections(pids: Iterable[int]) -> dict[int, list[Connection]]:
    """List the network connections of some processes, with who of them has the other end."""
    told = {pid: _inet(pid) for pid in pids}
    owner = {one.laddr: pid for pid, found in told.items() for one in found if one.raddr}
    queues = system.queues(next(iter(told), 0))
    return {pid: [_connection(one, owner, queues) for one in found][:MOST_CONNECTIONS] for pid, found in told.items()}


def _inet(pid: int) -> list[Any]:
    with contextlib.suppress(psutil.Error, OSError):
        process = psutil.Process(pid)
        ask = getattr(process, "net_connections", process.connections)
        return [one for one in ask(kind="inet") if one.raddr]
    return []


def _connection(one: Any, owner: Mapping[object, int], queues: Mapping[str, tuple[int, int]]) -> Connection:
    local, remote = f"{one.laddr.ip}:{one.laddr.port}", f"{one.raddr.ip}:{one.raddr.port}"
    unsent, unread = queues.get(f"{one.laddr.port}>{one.raddr.port}", (0, 0))
    return Connection(
        local=local, remote=remote, state=str(one.status).lower(), peer_pid=owner.get(one.raddr, 0),
        unread_bytes=unread, unsent_bytes=unsent,
    )  # fmt: skip


def roots_of(pid: int, roots: Roots) -> None:
    """Take in the folders of another process's interpreter, packages and MLX, as it has them."""
    for folder in _libraries(pid):
        roots.add(str(folder), LIBRARY)
        for name in INSTALLED:
            roots.add(str(folder / name), PACKAGE)
    for core in {found[1] for file in system.mapped(pid) if (found := _CORE.search(file))}:
        roots.add(core, LIBRARY)
        roots.add(os.path.dirname(core), PACKAGE)


def _libraries(pid: int) -> Iterator[Path]:
    """List the folders of the standard library: of the program's file, of its library, of its environment."""
    named = next(iter(system.command(pid)), "")
    loaded = filter(_PYTHON.search, system.mapped(pid))
    for file in {named, system.program(pid), *loaded}:
        above = Path(file).parent.parent
        yield from (path for path in above.glob("lib/python3.*") if path.is_dir())
        yield from (path for path in above.glob("python3.*") if (path / "os.py").is_file())


class ProcessSnapshotter:
    """Who is portrayed: the processes of a tree, with the stacks that were read of them."""

    def __init__(self, tree: TreeSampler, pyspy: PySpyStacks, before: Readings, sampling: StackSampling) -> None:
        self._tree = tree
        self._pyspy = pyspy
        self._before = before
        self._sampling, self._looks = sampling, sampling.looks()
        self._looked_s = max(time.monotonic() - tree.started_s, 1e-3)
        self._stacks = pyspy.known()
        self._pids = tree.pids

    def processes(self, pages: Mapping[int, int]) -> tuple[LiveProcess, ...]:
        """Portray every process; `pages` is what each had read at the start of the look."""
        after = readings(self._pids)
        connected = connections(sorted(self._pids))
        found = []
        for pid in sorted(self._pids):
            threads = [self._thread(one) for key, one in sorted(after.items()) if key[0] == pid]
            samples = tuple(self._tree.apart.get(pid, ()))
            ran_s = (samples[-1].cpu_s - samples[0].cpu_s) if samples else 0.0
            over_s = (samples[-1].t_s - samples[0].t_s) if samples else 0.0
            found.append(
                LiveProcess(
                    pid=pid,
                    rank=rank(pid),
                    python=any(thread.python for thread in threads),
                    gpu=on_gpu(pid),
                    may_progress=may_progress(pid, self._before, after, self._pyspy, self._sampling),
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
            bystander=stack is not None and (key[0], stack.thread) in self._pyspy.bystanders,
            cpu_s=round(ran_s, 4),
            waited_s=round(now.waited_s - then.waited_s, 4) if then else 0.0,
            cpu_share=round(ran_s / self._looked_s, 3),
            switches=now.thread.switches - then.thread.switches if then else 0,
            slept_s=None if now.slept_s is None else round(now.slept_s, 3),
            looks=self._looks.get(key, 0),
            proved=self._sampling.proves(key),
            scope=self._sampling.scope(key),
            waits=waits.words,
            outer=waits.outer,
            stack=stack,
            native=() if stack else self._pyspy.inside.get(key, ()),
        )


def may_progress(pid: int, before: Readings, after: Readings, pyspy: PySpyStacks, sampling: StackSampling) -> bool:
    """Check whether a process may have done what `watch` takes for progress: MLX ran, or modules were imported.

    It has not where MLX is not loaded, or none of its threads was on a processor and no Python code of it was seen.
    """
    if pid in pyspy.progressing or sampling.names(pid, PROGRESS):
        return True
    files = system.mapped(pid)
    if not files or on_gpu(pid):  # who would compute there is not seen
        return True
    if not any(library in file for file in files for library in MLX):
        return False
    python = {number for (of, _), number in pyspy.numbers.items() if of == pid}
    inside = any(of == pid and in_mlx(calls) for (of, _), calls in pyspy.inside.items())
    return inside or any(
        _ran(before.get(key), now) for key, now in after.items() if key[0] == pid and key[1] not in python
    )


def _ran(then: Reading | None, now: Reading) -> bool:
    return then is None or now.cpu_s > then.cpu_s or now.thread.switches != then.thread.switches
