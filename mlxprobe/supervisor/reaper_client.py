"""Call a reaper: for a program, or ahead, while its supervisor imports what reads which program that is."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from mlxprobe.supervisor.reaper import SHARED

_REAPER = f"""
import sys
package = sys.modules["mlxprobe"] = type(sys)("mlxprobe")  # without what its own file imports
package.__path__ = [{str(Path(__file__).parents[1])!r}]
from mlxprobe.supervisor import reaper
reaper.main(sys.argv[1:])
"""
REAPER = (sys.executable, "-I", "-S", "-c", _REAPER)  # imported: a script would be compiled at each start
DESCRIPTORS = "/dev/fd"  # a folder with the name of each that is open
_waiting: list[Reaper] = []
_inherited: list[Inherited] = []


class Reaper(NamedTuple):
    """Its process, and our end of the line to it."""

    process: subprocess.Popen[bytes]
    control: socket.socket


class Inherited(NamedTuple):
    """What a command started in our place would have from our caller: open descriptors, and signals that are blocked.

    The standard streams are not among the descriptors.
    """

    descriptors: tuple[int, ...] = ()
    blocked: tuple[int, ...] = ()


def inherited() -> Inherited:
    """Return what we have from our caller, as `call_ahead` found it; nothing where we are no command of our own."""
    return _inherited[0] if _inherited else Inherited()


def call(events: int = -1, descriptors: Sequence[int] = (), **how: Any) -> Reaper:
    """Start one that has some `descriptors` for its program; it waits for its order, and ends with the line to it.

    Args:
        events: the descriptor that the program writes its events to; -1 for none.
        descriptors: others that the program is to have, under the same numbers.
        how: as for `subprocess.Popen`.

    Raises:
        OSError: no process can be started, or not there.
    """
    control, theirs = socket.socketpair()
    taken = [theirs.fileno(), *([events] if events >= 0 else [])]
    blocked = signal.pthread_sigmask(signal.SIG_BLOCK, SHARED)  # the reaper lets them in once it can take them
    try:
        process = subprocess.Popen([*REAPER, str(taken[0]), str(events)], pass_fds=[*taken, *descriptors], **how)
    except OSError:
        control.close()
        raise
    finally:
        theirs.close()
        signal.pthread_sigmask(signal.SIG_SETMASK, blocked)
    return Reaper(process, control)


def call_ahead() -> None:
    """Start one for a program that will have our own streams and folder, before we open or block anything."""
    blocked = tuple(map(int, signal.pthread_sigmask(signal.SIG_BLOCK, ())))
    _inherited[:] = [Inherited(_handed_over(), blocked)]
    with contextlib.suppress(OSError):  # reported once there is a program
        _waiting.append(call(descriptors=inherited().descriptors))


def at_hand() -> Reaper:
    """Return the one that was called ahead, or call it now.

    Raises:
        OSError: no process can be started.
    """
    return _waiting.pop() if _waiting else call(descriptors=inherited().descriptors)


def _handed_over() -> tuple[int, ...]:
    """List the descriptors that our caller handed to us: Python itself opens none that another program inherits."""
    found = []
    with contextlib.suppress(OSError):  # a system, or a jail, without that folder
        for fd in sorted(map(int, os.listdir(DESCRIPTORS))):
            with contextlib.suppress(OSError):  # the one that the folder was read by
                if fd > 2 and os.get_inheritable(fd):
                    found.append(fd)
    return tuple(found)
