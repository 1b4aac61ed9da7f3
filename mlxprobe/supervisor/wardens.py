"""Call a warden: for a program, or ahead, while its supervisor imports what reads which program that is."""

from __future__ import annotations

import contextlib
import signal
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any, NamedTuple

from mlxprobe.supervisor.warden import SHARED

_WARDEN = f"""
import sys
package = sys.modules["mlxprobe"] = type(sys)("mlxprobe")  # without what its own file imports
package.__path__ = [{str(Path(__file__).parents[1])!r}]
from mlxprobe.supervisor import warden
warden.main(sys.argv[1:])
"""
WARDEN = (sys.executable, "-I", "-S", "-c", _WARDEN)  # imported: a script is compiled anew at each start
_waiting: list[Warden] = []


class Warden(NamedTuple):
    """Its process, and our end of the line to it."""

    process: subprocess.Popen[bytes]
    control: socket.socket


def call(events: int = -1, **how: Any) -> Warden:
    """Start one, `how` as for `subprocess.Popen`; it waits for its order, and ends with the line to it.

    Raises:
        OSError: no process can be started, or not there.
    """
    control, theirs = socket.socketpair()
    taken = [theirs.fileno(), *([events] if events >= 0 else [])]
    blocked = signal.pthread_sigmask(signal.SIG_BLOCK, SHARED)  # the warden lets them in once it can take them
    try:
        process = subprocess.Popen([*WARDEN, str(taken[0]), str(events)], pass_fds=taken, **how)
    except OSError:
        control.close()
        raise
    finally:
        theirs.close()
        signal.pthread_sigmask(signal.SIG_SETMASK, blocked)
    return Warden(process, control)


def call_ahead() -> None:
    """Start one for a program that will have our own streams and folder."""
    with contextlib.suppress(OSError):  # that will be told of where there is a program
        _waiting.append(call())


def at_hand() -> Warden:
    """Return the one that was called ahead, or call it now.

    Raises:
        OSError: no process can be started.
    """
    return _waiting.pop() if _waiting else call()
