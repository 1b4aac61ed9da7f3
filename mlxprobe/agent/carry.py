"""The agent in a process that it was carried into by the environment: it waits for MLX, and leaves with the program."""

from __future__ import annotations

import atexit
import fcntl
import os
import sys
from typing import Any

from mlxprobe.agent import start
from mlxprobe.agent.channel import EVENTS_FILE, FOLDER_VARIABLE, PATH_VARIABLE, Channel
from mlxprobe.agent.imports import when_imported

OWNER_FILE = "owner"


def wait_for_mlx() -> None:
    """Set the agent up once MLX is imported, in the first process that does so."""
    when_imported("mlx.core", _imported)


def _imported(mx: Any) -> None:
    folder = os.environ.get(FOLDER_VARIABLE, "")
    try:
        channel = Channel(os.open(os.path.join(folder, EVENTS_FILE), os.O_WRONLY | os.O_NONBLOCK))
    except OSError:  # the supervisor is gone
        return
    if not _claims(os.path.join(folder, OWNER_FILE)):
        channel.send("fact", name="another process", step=0, file="", line=0, count=1, detail={"pid": os.getpid()})
        return
    _restore_environment()
    agent = start.Agent(channel, folder)
    agent.hook_core(mx)
    channel.send("begin")
    channel.send("body")
    atexit.register(_finish, agent)


def _claims(file: str) -> bool:
    """Tell whether this process is the one to watch: the first that imports MLX, also after an `os.exec` of its own."""
    try:
        with open(file, "a+") as owner:
            fcntl.flock(owner, fcntl.LOCK_EX)
            owner.seek(0)
            before = owner.read()
            if not before:
                owner.write(str(os.getpid()))
    except OSError:
        return False
    return before in ("", str(os.getpid()))


def _restore_environment() -> None:
    """Leave the environment as it would be without us: what the program starts is not ours to watch."""
    before = os.environ.pop(PATH_VARIABLE, "")
    os.environ.pop(FOLDER_VARIABLE, None)
    if before:
        os.environ["PYTHONPATH"] = before
    else:
        os.environ.pop("PYTHONPATH", None)


def _finish(agent: start.Agent) -> None:
    """The interpreter ends: after its last line, an exception that nobody caught, or `sys.exit`."""
    if os.getpid() != agent.pid:
        return
    agent.recorder.finish()
    error = getattr(sys, "last_exc", None) or getattr(sys, "last_value", None)
    if isinstance(error, BaseException):
        start.send_exception(error, agent.channel)
    else:
        agent.channel.send("end")
