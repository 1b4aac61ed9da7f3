"""Arguments in, exit code out; the only package that prints."""

import sys

TYPE_CHECKING = False  # as `typing` has it: Ctrl-C shows a traceback until `entry_point` is called
if TYPE_CHECKING:
    from types import FrameType
    from typing import Any

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


INTERRUPTED = 130  # as shells tell of SIGINT
_came: list[int] = []  # the other signals that ended a command


def entry_point() -> None:
    """Run the command line; SIGTERM ends it as Ctrl-C does, and so does SIGHUP, except under nohup."""
    code: int | str | None = INTERRUPTED
    try:
        code = _run()
    except KeyboardInterrupt:  # while we import; a command that is interrupted says so itself
        pass
    if code == INTERRUPTED and _came:
        code = 128 + _came[0]
    over = False
    while not over:
        try:
            import signal

            from mlxprobe.cli import streams

            streams.end()
            signal.signal(signal.SIGINT, signal.SIG_IGN)  # all that is left is to exit
            over = True
        except KeyboardInterrupt:
            code = code or INTERRUPTED
    sys.exit(code)


def _interrupt(number: int, _: "FrameType | None") -> None:
    """End the command as Ctrl-C does, with an exit code of its own."""
    _came.append(number)
    raise KeyboardInterrupt


def _run() -> "int | str | None":
    """Return the exit code of the command."""
    import gc
    import signal

    from mlxprobe.cli import streams

    streams.complete()
    signal.signal(signal.SIGTERM, _interrupt)
    if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:
        signal.signal(signal.SIGHUP, _interrupt)
    gc.disable()  # up to the command (see `Commands.get_command`): to look for garbage in what stays takes its time
    if sys.argv[1:2] == ["watch"]:
        from mlxprobe.supervisor.reaper_client import call_ahead

        call_ahead()
    try:
        __getattr__("main")(prog_name="mlxprobe")
    except SystemExit as ended:
        return ended.code
    except ModuleNotFoundError as error:
        if (error.name or "mlxprobe").startswith("mlxprobe"):
            raise
        sys.stderr.write(f"mlxprobe: it needs {error.name}, which is not installed here; install mlxprobe again\n")
        return 2
    return 0


def __getattr__(name: str) -> "Any":
    """Import the group of all commands when it is asked for."""
    if name != "main":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from mlxprobe.cli.common import main

    return main
