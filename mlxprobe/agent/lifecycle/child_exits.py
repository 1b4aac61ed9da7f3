"""Tell how the program's children ended, where the program itself learns of it; it notices nothing."""

from __future__ import annotations

import contextlib
import os
import re
import sys
from collections.abc import Callable
from types import ModuleType
from typing import Any

from mlxprobe.agent.introspection import call_site
from mlxprobe.agent.patching.import_hooks import when_imported
from mlxprobe.agent.patching.interrupts import QUIETLY
from mlxprobe.agent.patching.signatures import like
from mlxprobe.agent.wire.channel import Channel
from mlxprobe.protocol.facts import processes as facts
from mlxprobe.protocol.facts.processes import RemoteRank

RANK = r"\bMLX_RANK=(\d+)"
COMMAND = r"(?s)\bcmd=\((.*)\); exec "  # as mlx.launch has it in its script
CHARACTERS = 400
NOWHERE = call_site.told(call_site.NOWHERE)
MOST_TOLD = 100
UNKNOWN = -1
MOST_LOOKED = 1000
# Who keeps a child's status, and the methods after which it is there; the rest ask these, or `os.waitpid`.
HOLDERS = {
    "subprocess": ("wait", "poll"),
    "multiprocessing.popen_fork": ("poll",),
    "multiprocessing.popen_forkserver": ("poll",),
}


class Children:
    """Listen to those who wait for children: two of a thousand that end badly must not be lost among the others."""

    def __init__(self, channel: Channel) -> None:
        self._channel = channel
        self._known: set[int] = set()
        self._unasked: set[int] = set()  # that are told without anybody's having waited for them
        self._looked: set[int] = set()
        self._told = 0
        for name in HOLDERS:
            module = sys.modules.get(name)
            if isinstance(module, ModuleType):
                self._imported(module)
            elif name not in sys.modules:
                when_imported(name, self._imported)
        for name in ("waitpid", "wait", "wait3", "wait4"):
            setattr(os, name, self._waits(getattr(os, name)))

    def _imported(self, module: Any) -> None:
        with QUIETLY:  # another module in its place
            kind, worker = getattr(module, "Popen", None), module.__name__ != "subprocess"
            for name in HOLDERS[module.__name__]:
                if isinstance(kind, type) and callable(original := vars(kind).get(name)):
                    setattr(kind, name, self._holds(original, worker=worker))

    def _holds(self, original: Callable[..., Any], *, worker: bool) -> Callable[..., Any]:
        @like(original)
        def ask(popen: Any, *args: Any, **kwargs: Any) -> Any:
            with QUIETLY:  # a subclass of any kind
                before = vars(popen).get("returncode", UNKNOWN)
                self._asked_of(popen)
            try:
                return original(popen, *args, **kwargs)
            finally:
                with QUIETLY:
                    after = vars(popen).get("returncode")
                    if before is None and isinstance(after, int):
                        self._ended(vars(popen)["pid"], after, worker=worker)

        return ask

    def _asked_of(self, popen: Any) -> None:
        """Look once at what a process was started for: ssh may have started a rank elsewhere."""
        pid = vars(popen).get("pid")
        if isinstance(pid, int) and pid not in self._looked and len(self._looked) < MOST_LOOKED:
            self._looked.add(pid)
            with QUIETLY:  # words of any kind
                if found := remote(getattr(popen, "args", None)):
                    self._channel.tell(found, NOWHERE)

    def _waits(self, original: Callable[..., Any]) -> Callable[..., Any]:
        @like(original)
        def wait(*args: Any, **kwargs: Any) -> Any:
            result = original(*args, **kwargs)
            with QUIETLY:
                pid, status = result[:2]
                if pid and os.WIFSIGNALED(status):  # a plain exit code means what the program takes it for
                    self._ended(pid, -os.WTERMSIG(status), worker=False)
            return result

        return wait

    def look(self) -> None:
        """Tell of workers that have ended badly and whom nobody has asked: the program may wait for them for ever."""
        module = sys.modules.get("multiprocessing.process")
        for one in list(getattr(module, "_children", ())) if hasattr(os, "waitid") else ():
            pid = getattr(getattr(one, "_popen", None), "pid", None)
            if pid and pid not in self._known:
                with contextlib.suppress(OSError):  # a forkserver's child is not ours
                    how = os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT)
                    if how is not None:
                        status = how.si_status if how.si_code == os.CLD_EXITED else -how.si_status
                        self._ended(pid, status, worker=True, name=one.name)

    def finish(self) -> None:
        """Tell how many there were, where somebody will want to know."""
        if self._told:
            self._channel.tell(facts.Children(children=len(self._known)), NOWHERE)

    def _ended(self, pid: int, status: int, *, worker: bool, name: str = "") -> None:
        is_news = pid not in self._unasked
        self._known.add(pid)
        if status and is_news and self._told < MOST_TOLD:
            self._told += 1
            if name:
                self._unasked.add(pid)
            ended = facts.ChildEnded(pid=pid, status=status, worker=worker, name=name)
            self._channel.tell(ended, NOWHERE, event="seen" if name else "fact")


def remote(args: Any) -> RemoteRank | None:
    """Return host, rank and command of a rank that these words of a new process start elsewhere; None if they do not.

    Args:
        args: as of `subprocess.Popen`: a list, or a shell's line.
    """
    text = args if isinstance(args, str) else " ".join(map(str, args)) if isinstance(args, (list, tuple)) else ""
    rank = re.search(RANK, text) if text.lstrip().startswith("ssh ") else None
    if rank is None:
        return None
    import shlex  # seldom, and it takes as long as three of our modules

    words = shlex.split(text) if isinstance(args, str) else list(map(str, args))
    found = re.search(COMMAND, words[-1])
    told = found[1] if found else ""
    host, command = words[-2][:CHARACTERS], told if len(told) < CHARACTERS else ""
    return RemoteRank(host=host, rank=int(rank[1]), command=command)
