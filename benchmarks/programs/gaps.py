"""Do next to nothing, over and over, and record when that took longer than `LEAST_NS` beyond waits for a processor.

It has one thread. At its end, when `STOP` lies in its folder, it prints a line for each gap: when, and how long.
"""

import os
import time

LEAST_NS = 500_000
LOOK_NS = 20_000_000

told = os.open("/proc/self/schedstat", os.O_RDONLY)
gaps = []


def waited_ns() -> int:
    """Return for how long this process has waited for a processor."""
    return int(os.pread(told, 100, 0).split()[1])


print("ready", flush=True)
then_ns, before_ns = time.monotonic_ns(), waited_ns()
looked_ns = then_ns
while True:
    waits_ns, now_ns = waited_ns(), time.monotonic_ns()
    lost_ns = now_ns - then_ns - (waits_ns - before_ns)
    if lost_ns > LEAST_NS:
        gaps.append((now_ns, lost_ns))
    if now_ns - looked_ns > LOOK_NS:
        looked_ns = now_ns
        if os.path.exists("STOP"):
            break
        now_ns, waits_ns = time.monotonic_ns(), waited_ns()
    then_ns, before_ns = now_ns, waits_ns
print(*(f"{at_ns} {lost_ns}" for at_ns, lost_ns in gaps), sep="\n")
