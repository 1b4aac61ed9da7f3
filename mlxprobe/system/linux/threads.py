"""State, processor time and sleep of every thread of a tree, as the kernel reports them."""

from __future__ import annotations

import os
import re
import threading
from collections.abc import Collection, Iterable

from mlxprobe.system.interface import ASLEEP, READY, Thread, Times
from mlxprobe.system.linux.procfs import listed, text_of

ENDED = "ZXI"
_FIELDS = r"(?m)^(State|TracerPid|voluntary_ctxt_switches|nonvoluntary_ctxt_switches):\s*(\w+)"
LAST_ON = 36  # of the words after the name in `stat`
_LAST_RAN = r"(?m)^se\.exec_start\s*:\s*([\d.]+)"


def threads(pids: Iterable[int], but: Collection[str] = ()) -> list[Thread]:
    """List the living threads of some processes."""
    found = []
    for pid in pids:
        numbers = listed(f"/proc/{pid}/task")
        found += [one for number in numbers if number not in but and (one := _thread(pid, number))]
    return found


def any_ready(pids: Iterable[int], numbers: Iterable[str]) -> bool:
    """Check whether any of these threads runs or is about to; a number that is no thread of these processes is none."""
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
    """Return for how long threads have slept; unknown ones are left out.

    Each processor has a clock of its own, which stops while a hypervisor gives the time to others: by seconds.
    """
    asleep = [one for one in threads if one.state == ASLEEP]
    ran_ms = {(one.pid, one.number): _last_ran_ms(one.pid, one.number) for one in asleep}
    on = {key: _processor(*key) for key, at_ms in ran_ms.items() if at_ms}
    now_ms = _clocks_ms(set(on.values()))
    return {key: max(now_ms[one] - ran_ms[key], 0.0) / 1e3 for key, one in on.items() if one in now_ms}


def _last_ran_ms(pid: int | str, number: int | str) -> float:
    told = re.search(_LAST_RAN, text_of(f"/proc/{pid}/task/{number}/sched"))
    return float(told[1]) if told else 0.0


def _processor(pid: int, number: int) -> int:
    """Return on which processor a thread ran last; -1 where it has ended."""
    words = text_of(f"/proc/{pid}/task/{number}/stat").rpartition(")")[2].split()
    return int(words[LAST_ON]) if len(words) > LAST_ON else -1


def _clocks_ms(processors: Iterable[int]) -> dict[int, float]:
    """Read the clocks of processors: each from a thread that runs on it; of those that we may not use, nothing."""
    ours, found = os.sched_getaffinity(0), {}
    try:
        for one in ours.intersection(processors):
            os.sched_setaffinity(0, {one})
            found[one] = _last_ran_ms("self", threading.get_native_id())
    except OSError:
        pass
    finally:
        os.sched_setaffinity(0, ours)
    return found
