"""What every thread of a tree is doing, as the kernel tells: read from outside, without a word to the program."""

from __future__ import annotations

import os
import re
from collections.abc import Collection, Iterable

from mlxprobe.platform.interface import ASLEEP, READY, Thread, Times
from mlxprobe.platform.linux.files import listed, text_of

ENDED = "ZXI"
_FIELDS = r"(?m)^(State|TracerPid|voluntary_ctxt_switches|nonvoluntary_ctxt_switches):\s*(\w+)"
_LAST_RAN = r"(?m)^se\.exec_start\s*:\s*([\d.]+)"


def threads(pids: Iterable[int], but: Collection[str] = ()) -> list[Thread]:
    """List the living threads of some processes."""
    found = []
    for pid in pids:
        numbers = listed(f"/proc/{pid}/task")
        found += [one for number in numbers if number not in but and (one := _thread(pid, number))]
    return found


def any_ready(pids: Iterable[int], numbers: Iterable[str]) -> bool:
    """Tell whether any of these threads runs or is about to; a number that is no thread of these processes is none."""
    found = (_thread(pid, number) for pid in pids for number in numbers)
    return any(one is not None and one.state in READY for one in found)


def _thread(pid: int, number: str) -> Thread | None:
    try:
        with open(f"/proc/{pid}/task/{number}/status", encoding="utf-8", errors="replace") as file:
            told = dict(re.findall(_FIELDS, file.read()))
        state, tracer = told["State"], int(told["TracerPid"])
        switches = int(told["voluntary_ctxt_switches"]) + int(told["nonvoluntary_ctxt_switches"])
    except (OSError, KeyError, ValueError):  # it has just ended
        return None
    return None if state in ENDED else Thread(pid, int(number), state, switches, tracer)


def times(pid: int, but: Collection[str] = ()) -> dict[int, Times]:
    """Return what each thread of a process has used of processors, and waited for them; without some threads."""
    found = {}
    for number in listed(f"/proc/{pid}/task"):
        if number not in but and len(words := text_of(f"/proc/{pid}/task/{number}/schedstat").split()) > 1:
            found[int(number)] = Times(int(words[0]), int(words[1]))
    return found


def slept_s(threads: Iterable[Thread]) -> dict[tuple[int, int], float]:
    """Return for how long threads have slept; of those that the kernel does not tell of, nothing."""
    now_ms = _last_ran_ms("self", str(os.getpid()))  # of a thread that runs: the kernel's own clock
    found = {}
    for one in threads:
        ran_ms = _last_ran_ms(one.pid, one.number)
        if now_ms and ran_ms and one.state == ASLEEP:
            found[one.pid, one.number] = max(now_ms - ran_ms, 0.0) / 1e3
    return found


def _last_ran_ms(pid: int | str, number: int | str) -> float:
    told = re.search(_LAST_RAN, text_of(f"/proc/{pid}/task/{number}/sched"))
    return float(told[1]) if told else 0.0
