"""Arguments in, exit code out; the only room that prints."""

from __future__ import annotations

import gc
import signal
import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mlxprobe.cli.common import main

__all__ = ["FILES", "entry_point", "main"]

FILES = {  # of this room, by command; each is imported when it is asked for: a program to be watched waits for none
    "run": "run",
    "list": "explore",
    "show": "explore",
    "explain": "explore",
    "doctor": "explore",
    "gate": "gate",
    "envs": "envs",
    "matrix": "matrix",
    "merge": "matrix",
    "bisect": "matrix",
    "watch": "watch",
    "attach": "attach",
    "beside": "sidecar",
    "cell": "dask_call",
    "isolate": "isolate",
    "fuzz": "fuzz",
    "selftest": "selftest",
    "report": "report",
    "docs": "docs",
}


def entry_point() -> None:
    """Run the command line; SIGTERM ends it as Ctrl-C does, and so does SIGHUP, except under nohup."""
    try:
        code = _run()
    except KeyboardInterrupt:  # while we import; a command that is interrupted says so itself
        code = 130
    from mlxprobe.cli import streams

    streams.end()
    sys.exit(code)


def _run() -> int | str | None:
    """Return the exit code of the command."""
    from mlxprobe.cli import streams

    streams.complete()
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:
        signal.signal(signal.SIGHUP, signal.default_int_handler)
    gc.disable()  # up to the command (see `Commands.get_command`): to look for garbage in what stays takes its time
    if sys.argv[1:2] == ["watch"]:
        from mlxprobe.supervisor.reaper_client import call_ahead

        call_ahead()
    try:
        __getattr__("main")(prog_name="mlxprobe")
    except SystemExit as ended:
        return ended.code
    return 0


def __getattr__(name: str) -> Any:
    """Import the group of all commands when it is asked for."""
    if name != "main":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from mlxprobe.cli.common import main

    return main
