"""Sample the Python stacks of a few processes many times in one second with py-spy, without stopping them.

A loop that spends every step on one line has the same stack in most samples. It differs from a single call in the few
samples that find it elsewhere, or with the interpreter's lock in hand: MLX evaluates without that.
"""

from __future__ import annotations

import re
import subprocess
import time
from collections.abc import Iterable, Sequence
from pathlib import Path

from mlxprobe.schema.live import Scope, proves
from mlxprobe.supervisor import process_snapshot
from mlxprobe.supervisor.pyspy_stacks import program
from mlxprobe.supervisor.scratch import Scratch

RATE = 200
LASTS_S = 1
LATE_S = 20.0  # a busy machine starts it late
MAX_PROCESSES = 4  # processes
_THREAD = re.compile(r"^thread \(((?:0x)?[0-9a-fA-F]+)\)")
_CALL = re.compile(r"^(.*) \((.*?)(?::(\d+))?\)$")


class StackSampling:
    """What was seen of the threads of some processes, by process and the system's number of the thread.

    `places` counts the samples of each thread by its place, `held` those in which it had the interpreter's lock.
    `cpu_s` is what it has computed meanwhile, and `waited_s` for how long its process has waited for a processor: who
    gets none shows nothing, however often one looks.
    """

    def __init__(self, pids: Iterable[int]) -> None:
        self._pids = list(pids)[:MAX_PROCESSES] * bool(program())
        self._folder = Scratch()
        self.places: dict[tuple[int, int], dict[str, int]] = {}
        self.held: dict[tuple[int, int], int] = {}
        self.cpu_s: dict[tuple[int, int], float] = {}
        self.waited_s: dict[int, float] = {}
        self._running: dict[tuple[int, str], subprocess.Popen[bytes]] = {}
        self.go_on()

    def go_on(self) -> None:
        """Look for another second."""
        self._began_s = time.monotonic()
        self._before = process_snapshot.readings(self._pids)
        self._running = {(pid, how): self._started(pid, how) for pid in self._pids for how in ("idle", "gil")}

    def _started(self, pid: int, how: str) -> subprocess.Popen[bytes]:
        words = [program(), "record", "--nonblocking", "--threads", "--full-filenames", f"--{how}"]
        words += ["--format", "raw", "--rate", str(RATE), "--duration", str(LASTS_S), "--pid", str(pid)]
        self._file(pid, how).unlink(missing_ok=True)
        words += ["--output", str(self._file(pid, how))]
        return subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def _file(self, pid: int, how: str) -> Path:
        return self._folder.path / f"{pid}.{how}"

    def is_over(self) -> bool:
        """Check whether all is recorded; what comes late is given up."""
        if not self._running:
            return True
        if time.monotonic() - self._began_s > LATE_S:
            self._end()
        for key in [key for key, process in self._running.items() if process.poll() is not None]:
            del self._running[key]
            self._read(*key)
        if not self._running:
            for thread, now in process_snapshot.readings(self._pids).items():
                before = self._before.get(thread, now)
                self.cpu_s[thread] = self.cpu_s.get(thread, 0.0) + now.cpu_s - before.cpu_s
                self.waited_s[thread[0]] = self.waited_s.get(thread[0], 0.0) + now.waited_s - before.waited_s
        return not self._running

    def proves(self, thread: tuple[int, int]) -> bool:
        """Check whether a thread that was seen in one place alone has been there all the time."""
        return proves(self.cpu_s.get(thread, 0.0), self.waited_s.get(thread[0], 0.0))

    def moved(self) -> set[tuple[int, int]]:
        """Return the threads that were seen in more than one place, or with the lock and without it."""
        found = {thread for thread, places in self.places.items() if len(places) > 1}
        return found | {
            one for one, held in self.held.items() if 0 < held < 0.9 * sum(self.places.get(one, {}).values())
        }

    def scope(self, thread: tuple[int, int]) -> Scope | None:
        """Return the innermost function that a thread which moved was in at every look."""
        places = [found for one in self.places.get(thread, ()) if (found := _calls(one))]
        scope = None
        for calls in zip(*places, strict=False) if len(places) > 1 else ():
            (file, name, _), lines = calls[0], [one[2] for one in calls]
            if any(one[:2] != (file, name) for one in calls):
                break
            scope = Scope(file=file, function=name, first=min(lines), last=max(lines))
        return scope

    def looks(self) -> dict[tuple[int, int], int]:
        """Return how often each thread was sampled."""
        return {thread: sum(places.values()) for thread, places in self.places.items()}

    def _read(self, pid: int, how: str) -> None:
        file = self._file(pid, how)
        for line in file.read_text(errors="replace").splitlines() if file.exists() else ():
            head, _, rest = line.partition(";")
            place, _, count = rest.rpartition(" ")
            if (named := _THREAD.search(head)) and count.isdigit():
                self._add((pid, int(named[1], 0)), place, int(count), how)

    def _add(self, thread: tuple[int, int], place: str, count: int, how: str) -> None:
        if how == "gil":
            self.held[thread] = self.held.get(thread, 0) + count
        else:
            places = self.places.setdefault(thread, {})
            places[place] = places.get(place, 0) + count

    def names(self, pid: int, parts: Sequence[str]) -> bool:
        """Check whether a process was seen in code whose file has any of these in its name."""
        seen = (place for (of, _), places in self.places.items() if of == pid for place in places)
        return any(part in place for place in seen for part in parts)

    def _end(self) -> None:
        for process in self._running.values():
            process.kill()
            process.wait()
        self._running = {}

    def __enter__(self) -> StackSampling:
        return self

    def __exit__(self, *_: object) -> None:
        self._end()
        self._folder.close()


def _calls(place: str) -> list[tuple[str, str, int]]:
    """Read the calls of one look, the outermost first: file, function and line."""
    found = filter(None, map(_CALL.match, place.split(";")))
    return [(one[2], one[1], int(one[3] or 0)) for one in found]
