"""What the system tells of processes that we did not start: threads, memory, connections, whose code is whose."""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias

import psutil

from mlxprobe.agent.introspection.code_ownership import INSTALLED, LIBRARY, PACKAGE, Roots
from mlxprobe.schema.live import Connection
from mlxprobe.system.interface import Thread
from mlxprobe.system.system import system

MOST_CONNECTIONS = 32
NO_TIME = (0, 0)
GPU_DRIVERS = ("libcuda.so", "/dev/nvidia")
_PYTHON = re.compile(r"(?:^|/)(?:lib)?python3[\w.]*(?: \(deleted\))?$|/libpython3[\w.]*$")
_CORE = re.compile(r"(/\S*/mlx)/core\.[^/]*$")


class Reading(NamedTuple):
    """A thread at one moment; `slept_s` is None where the system does not tell since when it has slept."""

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
    """Tell whether a process runs Python: by its file, or by the library that it has loaded."""
    try:
        if _PYTHON.search(process.exe()):
            return True
        return any(map(_PYTHON.search, system.mapped(process.pid)))
    except psutil.Error:
        return False


def has_ended(pid: int) -> bool:
    """Tell whether a process has ended with all its threads, also where its parent has not asked how."""
    try:
        process = psutil.Process(pid)
        return bool(process.status() == psutil.STATUS_ZOMBIE and process.num_threads() < 2)
    except psutil.Error:
        return True


def on_gpu(pid: int) -> bool:
    """Tell whether a process has a GPU's driver loaded: how busy that is no system tells from outside."""
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
