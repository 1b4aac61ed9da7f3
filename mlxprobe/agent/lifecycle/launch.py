"""Start the ranks of a scenario on this machine, as `mlx.launch` would, and tell how each of them ended.

Nobody ends the other ranks where one fails, as `mlx.launch` does: what they do without it is what is to be seen.
"""

from __future__ import annotations

import contextlib
import json
import os
import socket
import subprocess
import sys
from collections.abc import Iterator

from mlxprobe.agent.introspection import call_site
from mlxprobe.agent.introspection.code_ownership import AGENT
from mlxprobe.agent.wire.channel import Channel
from mlxprobe.agent.wire.constants import FD_VARIABLE
from mlxprobe.protocol.facts.processes import ChildEnded

HERE = "127.0.0.1"
HOSTS_FILE = "hosts.json"


def main(device: str, size: int, words: list[str]) -> int:
    """Start a number of ranks that run what `words` name; return an exit code that is not 0, if one of them has such.

    On a GPU they meet through NCCL, with a device each; else in a ring.
    """
    events = int(os.environ[FD_VARIABLE])
    channel = Channel(os.dup(events), tag=os.getpid())
    channel.send(
        "process", parent=os.getppid(), pid=os.getpid(), command=["launch", str(size), *words], rank=-1, size=0
    )
    with _free_ports(size) as ports:
        meeting = _nccl(size, ports[0]) if device == "gpu" else _ring(ports)
    os.set_inheritable(events, True)
    order = [sys.executable, os.path.join(AGENT, "__main__.py"), "rank", *words]
    ranks = [subprocess.Popen(order, env=os.environ | one, pass_fds=(events,)) for one in meeting]
    os.close(events)
    return _waited(ranks, channel)


def _waited(ranks: list[subprocess.Popen[bytes]], channel: Channel) -> int:
    codes: dict[int, int] = {}
    while len(codes) < len(ranks):
        pid, status = os.wait()
        codes[pid] = os.waitstatus_to_exitcode(status)
        channel.tell(ChildEnded(pid=pid, status=codes[pid]), call_site.told(call_site.NOWHERE))
    return next((code for code in codes.values() if code), 0)


@contextlib.contextmanager
def _free_ports(count: int) -> Iterator[list[int]]:
    """Hold ports that nobody has, until all of them are known."""
    with contextlib.ExitStack() as held:
        taken = [held.enter_context(socket.socket()) for _ in range(count)]
        for one in taken:
            one.bind((HERE, 0))
        yield [int(one.getsockname()[1]) for one in taken]


def _ring(ports: list[int]) -> list[dict[str, str]]:
    file = os.path.abspath(HOSTS_FILE)
    with open(file, "w") as hosts:
        json.dump([[f"{HERE}:{port}"] for port in ports], hosts)
    return [{"MLX_RANK": str(rank), "MLX_HOSTFILE": file} for rank in range(len(ports))]


def _nccl(size: int, port: int) -> list[dict[str, str]]:
    shared = {"NCCL_HOST_IP": HERE, "NCCL_PORT": str(port), "MLX_WORLD_SIZE": str(size)}
    return [{**shared, "MLX_RANK": str(rank), "CUDA_VISIBLE_DEVICES": str(rank)} for rank in range(size)]
