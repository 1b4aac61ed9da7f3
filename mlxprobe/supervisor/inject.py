"""Carry the agent into a process that runs: from Python 3.14 on, one may ask another to run a file (PEP 768).

It does so between two lines of its main thread; one that is stuck in a call never does. The files are in a
folder of this user's own.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from mlxprobe.schema.errors import ProbeError, UsageError
from mlxprobe.system.system import system

PACKAGES = str(Path(__file__).parents[2])
COME = """import sys
sys.path.append({packages!r})
from mlxprobe.agent.lifecycle import attached_agent
attached_agent.come({folder!r}, {supervisor})
"""
GO = """import sys
attached_agent = sys.modules.get("mlxprobe.agent.lifecycle.attached_agent")
if attached_agent is not None: attached_agent.go()
"""


class InjectedAgent:
    """The agent's stay in one process.

    Raises:
        UsageError: this Python cannot ask for it.
    """

    def __init__(self, pid: int, folder: Path) -> None:
        ask: Callable[..., Any] | None = getattr(sys, "remote_exec", None)
        if ask is None:
            version = ".".join(map(str, sys.version_info[:2]))
            raise UsageError(
                f"--agent takes Python 3.14 or later, here and in the process that it goes to, and this is {version}; "
                "`mlxprobe attach` without it looks from outside, `mlxprobe.enable()` has a program watched from within"
            )
        self._ask = ask
        self._pid = pid
        self._folder = folder

    def come(self, supervisor: int) -> None:
        """Have the agent come; raises ProbeError where that is refused."""
        self._runs("come.py", COME.format(packages=PACKAGES, folder=str(self._folder), supervisor=supervisor))

    def go(self) -> None:
        """Have it leave, and every wrapper with it, where it has come."""
        self._runs("go.py", GO)

    def stay_out(self) -> None:
        """Have it not come any more: the process is asked for nothing instead, for what was asked cannot be unasked."""
        self._asks(os.devnull)

    def _runs(self, name: str, text: str) -> None:
        file = self._folder / name
        file.touch(0o600)
        file.write_text(text)
        self._asks(str(file))

    def _asks(self, file: str) -> None:
        try:
            self._ask(self._pid, file)
        except (OSError, RuntimeError) as error:  # no right to, another version, or switched off in the process
            why = system.forbidden([self._pid]).partition(": ")[2] if isinstance(error, PermissionError) else error
            raise ProbeError(f"process {self._pid} cannot be asked to run anything: {why}") from error
