"""What the system tells of processes that we did not start: threads, memory, connections, whose code is whose."""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias

import psutil

from mlxprobe.agent.roots import INSTALLED, LIBRARY, PACKAGE, Roots
from mlxprobe.supervisor.threads import Thread, threads
from mlxprobe.values.live import Connection

MOST_CONNECTIONS = 32
GPU_DRIVERS = ("libcuda.so", "/dev/nvidia")
_LAST_RAN = re.compile(r"^se\.exec_start\s*:\s*([\d.]+)", re.MULTILINE)
_SWAP = re.compile(r"^VmSwap:\s*(\d+) kB", re.MULTILINE)
_PYTHON = re.compile(r"(?:^|/)(?:lib)?python3[\w.]*(?: \(deleted\))?$|/libpython3[\w.]*$")
_CORE = re.compile(r"(/\S*/mlx)/core\.[^/]*$", re.MULTILINE)


class Reading(NamedTuple):
    """A thread at one moment; `slept_s` is None where the kernel does not tell since when it has slept."""

    thread: Thread
    cpu_s: float
    waited_s: float  # for a processor
    slept_s: float | None


Readings: TypeAlias = dict[tuple[int, int], Reading]  # by process and thread


def readings(pids: Iterable[int]) -> Readings:
    """Read all threads of some processes."""
    now_ms = _last_ran_ms("self", str(os.getpid()))  # of a thread that runs: the kernel's own clock
    found: Readings = {}
    for one in threads(pids):
        ran_ms = _last_ran_ms(one.pid, one.number)
        slept_s = max(now_ms - ran_ms, 0.0) / 1e3 if now_ms and ran_ms and one.state == "S" else None
        found[one.pid, one.number] = Reading(one, *_times(one), slept_s)
    return found


def _last_ran_ms(pid: int | str, number: int | str) -> float:
    told = _LAST_RAN.search(_text(f"/proc/{pid}/task/{number}/sched"))
    return float(told[1]) if told else 0.0


def _times(one: Thread) -> tuple[float, float]:
    words = _text(f"/proc/{one.pid}/task/{one.number}/schedstat").split()
    return (int(words[0]) / 1e9, int(words[1]) / 1e9) if len(words) > 1 else (0.0, 0.0)


def swap_bytes(pid: int) -> int:
    """Return how much of a process is in swap."""
    told = _SWAP.search(_text(f"/proc/{pid}/status"))
    return 1024 * int(told[1]) if told else 0


def pages_read(pid: int) -> int:
    """Return how many pages the system has fetched for a process from a disk or from swap."""
    after = _text(f"/proc/{pid}/stat").rpartition(")")[2].split()
    return int(after[9]) if len(after) > 9 else 0


def rank(pid: int) -> int:
    """Return the rank that MLX's launcher gave a process; -1 without one, or where it may not be read."""
    words = _text(f"/proc/{pid}/environ").split("\0")
    given = next((word.partition("=")[2] for word in words if word.startswith("MLX_RANK=")), "")
    return int(given) if given.isdigit() else -1


def is_python(process: psutil.Process) -> bool:
    """Tell whether a process runs Python: by its file, or by the library that it has loaded."""
    try:
        if _PYTHON.search(process.exe()):
            return True
        return any(_PYTHON.search(line) for line in _text(f"/proc/{process.pid}/maps").splitlines())
    except psutil.Error:
        return False


def on_gpu(pid: int) -> bool:
    """Tell whether a process has a GPU's driver loaded: how busy that is no system tells from outside."""
    return any(name in _text(f"/proc/{pid}/maps") for name in GPU_DRIVERS)


def readable(pid: int) -> bool:
    """Tell whether the system lets us read what a process holds, which is the right that py-spy needs too."""
    try:
        with open(f"/proc/{pid}/mem", "rb"), open(f"/proc/{pid}/task/{pid}/syscall", "rb"):
            return True
    except PermissionError:
        return False
    except OSError:  # it has just ended, or the system has no such files
        return True


def connections(pids: Iterable[int]) -> dict[int, list[Connection]]:
    """List the network connections of some processes, with who of them has the other end."""
    told = {pid: _inet(pid) for pid in pids}
    owner = {one.laddr: pid for pid, found in told.items() for one in found if one.raddr}
    queues = _queues(next(iter(told), 0))
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


def _queues(pid: int) -> dict[str, tuple[int, int]]:
    """Return what lies in the connections that a process sees, unsent and unread, by their ports."""
    found = {}
    for kind in ("tcp", "tcp6"):
        for line in _text(f"/proc/{pid}/net/{kind}").splitlines()[1:]:
            _, here, there, _, held, *_ = line.split()
            unsent, unread = (int(part, 16) for part in held.split(":"))
            ports = (int(end.rpartition(":")[2], 16) for end in (here, there))
            found[">".join(map(str, ports))] = unsent, unread
    return found


def roots_of(pid: int, roots: Roots) -> None:
    """Take in the folders of another process's interpreter, packages and MLX, as it has them."""
    for folder in _libraries(pid):
        roots.add(str(folder), LIBRARY)
        for name in INSTALLED:
            roots.add(str(folder / name), PACKAGE)
    for core in set(_CORE.findall(_text(f"/proc/{pid}/maps"))):
        roots.add(core, LIBRARY)
        roots.add(os.path.dirname(core), PACKAGE)


def _libraries(pid: int) -> Iterator[Path]:
    """List the folders of the standard library: of the program's file, of its library, of its environment."""
    named = (_text(f"/proc/{pid}/cmdline").split("\0") or [""])[0]
    loaded = {line.split(maxsplit=5)[-1] for line in _text(f"/proc/{pid}/maps").splitlines() if _PYTHON.search(line)}
    for file in {named, _target(pid), *loaded}:
        above = Path(file).parent.parent
        yield from (path for path in above.glob("lib/python3.*") if path.is_dir())
        yield from (path for path in above.glob("python3.*") if (path / "os.py").is_file())


def _target(pid: int) -> str:
    try:
        return os.readlink(f"/proc/{pid}/exe")
    except OSError:
        return ""


def _text(file: str) -> str:
    try:
        with open(file, encoding="utf-8", errors="replace") as opened:
            return opened.read()
    except OSError:
        return ""
