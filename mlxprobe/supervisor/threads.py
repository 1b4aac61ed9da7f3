"""What every thread of a tree is doing, as the kernel tells: read from outside, without a word to the program."""

from __future__ import annotations

import os
import re
from collections.abc import Collection, Iterable, Sequence
from typing import NamedTuple

ASLEEP = "S"
READY = "RD"  # on a processor, waiting for one, or for a disk
STOPPED = "tT"
ENDED = "ZXI"
_FIELDS = re.compile(r"^(State|TracerPid|voluntary_ctxt_switches|nonvoluntary_ctxt_switches):\s*(\w+)", re.MULTILINE)


class Thread(NamedTuple):
    """A thread at one look; `switches` counts how often it has left a processor."""

    pid: int
    number: int
    state: str
    switches: int
    tracer: int


def threads(pids: Iterable[int], but: Collection[str] = ()) -> list[Thread]:
    """List the living threads of some processes; none where the system does not tell (macOS)."""
    found = []
    for pid in pids:
        try:
            numbers = os.listdir(f"/proc/{pid}/task")
        except OSError:
            continue
        found += [one for number in numbers if number not in but and (one := _thread(pid, number))]
    return found


def any_ready(pids: Iterable[int], numbers: Iterable[str]) -> bool:
    """Tell whether any of these threads runs or is about to; a number that is no thread of these processes is none."""
    found = (_thread(pid, number) for pid in pids for number in numbers)
    return any(one is not None and one.state in READY for one in found)


def _thread(pid: int, number: str) -> Thread | None:
    try:
        with open(f"/proc/{pid}/task/{number}/status", encoding="utf-8", errors="replace") as file:
            told = dict(_FIELDS.findall(file.read()))
        state, tracer = told["State"], int(told["TracerPid"])
        switches = int(told["voluntary_ctxt_switches"]) + int(told["nonvoluntary_ctxt_switches"])
    except (OSError, KeyError, ValueError):  # it has just ended
        return None
    return None if state in ENDED else Thread(pid, int(number), state, switches, tracer)


class Rest:
    """Follow the threads of a tree from look to look.

    A thread that sleeps at two looks, and has left no processor in between, was on none: it slept all the time. CPU
    times cannot show that: what a thread has waited for a processor enters them only once it gets one.
    """

    def __init__(self) -> None:
        self.since_s: float | None = None  # the first of the looks that found all asleep and nothing changed
        self.threads: Sequence[Thread] = ()
        self._looks = self._ready = 0

    def look(self, found: Sequence[Thread], now_s: float) -> None:
        """Take in what a look has found."""
        same = sorted(found) == sorted(self.threads)
        if not found or any(one.state != ASLEEP for one in found):
            self.since_s = None
        elif self.since_s is None or not same:
            self.since_s = now_s
        self.threads = found
        self._looks += 1
        self._ready += any(one.state in READY for one in found)

    def lasted_s(self, now_s: float) -> float:
        """Return for how long every thread has slept without a break."""
        return 0.0 if self.since_s is None else now_s - self.since_s

    @property
    def always_ready(self) -> bool:
        """Tell whether at every look some thread ran, or waited for a processor or a disk."""
        return self._looks > 0 and self._ready == self._looks
