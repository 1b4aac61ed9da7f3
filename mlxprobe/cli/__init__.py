"""Arguments in, exit code out; the only room that prints."""

from __future__ import annotations

import gc
import signal

COLLECTS = gc.isenabled()
gc.disable()  # what is imported stays: to look for garbage in it takes a twentieth of the time to a program's start
from mlxprobe.cli.common import main  # noqa: E402

if COLLECTS:
    gc.enable()

__all__ = ["entry_point", "main"]

main.files = {  # each is imported when it is asked for: the program to be watched does not wait for the others
    "run": "run",
    "list": "explore",
    "show": "explore",
    "explain": "explore",
    "doctor": "explore",
    "gate": "gate",
    "envs": "gate",
    "matrix": "matrix",
    "merge": "matrix",
    "bisect": "matrix",
    "watch": "watch",
    "attach": "attach",
    "beside": "beside",
    "cell": "cell",
    "isolate": "isolate",
    "fuzz": "fuzz",
    "selftest": "selftest",
    "report": "report",
    "docs": "docs",
}


def entry_point() -> None:
    """Run the command line; a SIGTERM ends it as Ctrl-C does."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    gc.disable()  # up to the command (see `Commands.get_command`)
    main(prog_name="mlxprobe")
