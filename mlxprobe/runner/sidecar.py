"""Watch this process: the agent is loaded into it, and a sidecar process watches from outside.

So a hang is reported although the interpreter is stuck. Only this user can reach the two: they communicate over a pair
of sockets and a pipe in a folder of the user's own. The sidecar ends with this process.
"""

from __future__ import annotations

import atexit
import contextlib
import copy
import logging
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import FrameType

from mlxprobe.agent.lifecycle.attached_agent import Guest
from mlxprobe.agent.patching.import_hooks import is_watched
from mlxprobe.agent.wire import threads
from mlxprobe.agent.wire.json_lines import Line
from mlxprobe.agent.wire.listener import Listener
from mlxprobe.schema.errors import ProbeError, UsageError

ENDS_WITHIN_S = 1.0
ANSWERS_WITHIN_S = 120.0  # on a machine that is busy with the program
CALL = signal.SIGUSR2
PACKAGES = str(Path(__file__).parents[2])
_ORDER = (  # no child of ours: `os.wait` of the program's is not to find one that it knows nothing of
    "import os, sys; os.fork() and os._exit(0); sys.path[:] = [one for one in sys.path if one]; "
    f"sys.path.append({PACKAGES!r}); sys.argv[0] = 'mlxprobe'; from mlxprobe.cli import entry_point; entry_point()"
)
logger = logging.getLogger("mlxprobe")
_record = logger.makeRecord(logger.name, logging.INFO, __file__, 0, "%s", (), None, "logged")


class Sidecar:
    """A sidecar process; it watches one stay of the agent after another, from `begin` to `end`."""

    def __init__(self) -> None:
        self.pid = os.getpid()
        ours, theirs = socket.socketpair()
        wake, self._wake = os.pipe()
        os.set_blocking(self._wake, False)
        try:
            self._start(theirs.fileno(), wake)
        except OSError as error:
            ours.close()
            os.close(self._wake)
            raise ProbeError(f"the watching process cannot be started: {error}") from error
        finally:
            theirs.close()
            os.close(wake)
        self.line = Line(ours)
        self.listener = Listener(self.line, logged)
        self.others: set[int] = set()  # threads that are none of what is watched: a notebook's kernel has some
        self._guest: Guest | None = None
        self._called: tuple[int, object] | None = None
        self.forms: dict[str, str] = {}  # in which the last record is shown, where that was asked for

    def _start(self, control: int, wake: int) -> None:
        words = [sys.executable, "-c", _ORDER, "beside", str(self.pid), str(control), str(wake)]
        environment = {name: value for name, value in os.environ.items() if name != "MLXPROBE_ENABLE"}
        subprocess.run(
            words, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, env=environment, start_new_session=True,
            pass_fds=(control, wake), check=True, timeout=ANSWERS_WITHIN_S,
        )  # fmt: skip

    def begin(self, name: str, stall_s: float | None = None, *, report: str = "", **more: object) -> None:
        """Have the agent come; `report` says whether one is printed at the end: `always`, `steps`, or not at all.

        Raises:
            ProbeError: there is no answer; UsageError where a setting is none.
        """
        asked = self.line.send(begin=name, stall_s=stall_s, report=report, cwd=os.getcwd(), **more)
        answer = self.listener.answer(ANSWERS_WITHIN_S) if asked else None
        if answer is None or "folder" not in answer:
            self.close()
            if answer is not None:
                raise UsageError(str(answer["failed"]))
            raise ProbeError("the watching process does not answer")
        try:
            self._guest = Guest(answer["folder"], answer["pid"])
        except OSError as error:
            self.close()
            raise ProbeError(f"the watching process is gone: {error}") from error
        for number in (self.listener.thread.native_id, *self.others):
            self._guest.agent.channel.send("thread", id=number)

    def prepare(self) -> None:
        """Import what `begin` and `forms` need ahead of time."""
        self.line.send(prepare=True)

    def end(self, error: BaseException | None = None, **shown: object) -> str:
        """Have the agent leave; return the record as JSON, empty where there is none.

        `shown` says how it is to be shown: `names` are put in place of files, and `forms` are made `always` or, where
        anything was found or trained, by `steps`.
        """
        if self._guest is not None:
            self._guest.leave(error)
        return self._ended(shown)

    def finish(self) -> None:
        """Wait for the report at the end of this process; no thread stays that would hold the program's objects."""
        if self._guest is not None and self._guest.is_here:
            self._guest.finish()
            self._ended()
            self.line.close()
            self.listener.thread.join(ENDS_WITHIN_S)

    def _ended(self, shown: dict[str, object] | None = None) -> str:
        self._guest = None
        answer = self.listener.answer(ANSWERS_WITHIN_S) if self.line.send(end=shown or {}) else None
        self.forms = answer.get("forms", {}) if answer else {}
        return str(answer.get("record", "")) if answer else ""

    def on_call(self) -> None:
        """Write a report at `CALL`: the signal reaches the sidecar also where no handler can run."""
        if signal.getsignal(CALL) is not signal.SIG_DFL:
            return

        def call(_: int, __: FrameType | None) -> None:
            self.line.send(report=True)

        with contextlib.suppress(ValueError):  # not on the main thread
            before = signal.set_wakeup_fd(self._wake, warn_on_full_buffer=False)
            self._called = before, call
            if before >= 0:  # another library's: it gets the signal, and so does the handler
                signal.set_wakeup_fd(before)
            signal.signal(CALL, call)

    def close(self) -> None:
        """Release the sidecar."""
        if self._called is not None and signal.getsignal(CALL) is self._called[1]:
            with contextlib.suppress(ValueError):
                signal.signal(CALL, signal.SIG_DFL)
                if self._called[0] < 0:
                    signal.set_wakeup_fd(-1)
        self.line.close()
        os.close(self._wake)


_sidecar: Sidecar | None = None


def present() -> Sidecar | None:
    """Return the sidecar that `enable` started; None in a fork, which is reported with its parent."""
    return _sidecar if _sidecar is not None and _sidecar.pid == os.getpid() else None


def enable(*, stall_s: float | None = None, report: str = "always") -> None:
    """Watch this process from now on, as `mlxprobe watch` would from its start.

    What is found for certain is logged at once (`logging.getLogger("mlxprobe")`), a hang also where the interpreter is
    stuck; the report comes on stderr at the end, or at SIGUSR2 where the program has no handler for it. Where it is
    watched already, nothing is changed; nor in a worker of multiprocessing for which the script that says this is only
    read again: the report names those that import MLX.

    Args:
        stall_s: seconds without progress that are told; by default 10 where all of it sleeps, else a minute, or 20
            slow steps where that is longer. Nothing is ever ended.
        report: `always`, or `steps` for none where nothing was trained.

    Raises:
        ProbeError: the process beside this one could not be started; UsageError for a setting that is none.
    """
    global _sidecar  # noqa: PLW0603 - a process has one interpreter to watch, as for `faulthandler.enable`
    if present() is not None or is_watched() or (report == "always" and prepares_worker()):
        return
    made = Sidecar()
    made.begin(name_of_program(), stall_s, report=report, worker=is_worker())
    made.on_call()
    _sidecar = made
    atexit.register(_at_exit)


def prepares_worker() -> bool:
    """Check whether multiprocessing runs the main script again to prepare a worker: that line of it is its parent's."""
    module = sys.modules.get("multiprocessing.process")
    return module is not None and bool(getattr(module.current_process(), "_inheriting", False))


def is_worker() -> bool:
    """Check whether multiprocessing has started this process: its parent may end it at any time."""
    module = sys.modules.get("multiprocessing.process")
    return module is not None and (module.parent_process() is not None or prepares_worker())


def disable() -> None:
    """Watch this process no more: the report is written, and every wrapper is taken away."""
    stop()


def stop() -> str:
    """Do as `disable` does; return the record as JSON, empty without a sidecar."""
    global _sidecar
    made, _sidecar = present(), None
    if made is None:
        return ""
    atexit.unregister(_at_exit)
    record = made.end()
    made.close()
    return record


def _at_exit() -> None:
    if (made := present()) is not None:
        made.finish()


@contextlib.contextmanager
def watched_block(done: Callable[[str], None], stall_s: float | None = None) -> Iterator[None]:
    """Watch while a block runs; `done` gets its record as JSON. Nothing is done where it is watched already."""
    if present() is not None or is_watched():
        yield
        return
    made = Sidecar()
    try:
        made.begin(name_of_program(), stall_s)
        made.on_call()
        error: BaseException | None = None
        try:
            yield
        except BaseException as raised:
            error = raised
            raise
        finally:
            if record := made.end(error):
                done(record)
    finally:
        made.close()


def name_of_program() -> str:
    """Return what this program is called."""
    return (sys.argv[0] if sys.argv and sys.argv[0] not in ("", "-c") else "") or "this process"


def logged(text: str, level: int) -> None:
    """Log messages of the sidecar, also on a thread of ours, which a new log record would add to `threading`.

    So ours is a copy of one, but where the program's own factory makes records that may have more.
    """
    if not threads.is_ours():
        logger.log(level, "%s", text)
    elif logging.getLogRecordFactory() is not logging.LogRecord:
        logger.log(level, "%s", text)
        threads.unlist()
    elif logger.isEnabledFor(level):
        record, now_s = copy.copy(_record), time.time()
        record.levelno, record.levelname, record.args = level, logging.getLevelName(level), (text,)
        record.relativeCreated += 1000 * (now_s - record.created)
        record.thread, record.threadName = threading.get_ident(), "mlxprobe listener"
        record.created, record.msecs = now_s, float(int(1000 * now_s) % 1000)
        logger.handle(record)


def log_finding(severity: str, code: str, message: str, place: str) -> None:
    """Log a finding at the level of its severity."""
    level = {"error": logging.ERROR, "warning": logging.WARNING}.get(severity, logging.INFO)
    logged(f"{code} {message} ({place})", level)
