"""Attach to an empty loop again and again: has anybody ever stopped it?

`python -m benchmarks.stops [TIMES]`: 100 times where no number is given. A loop that calls nothing leaves a processor
only where it is taken from it, which the kernel counts apart: whoever stops it has it leave once more of the other
kind, however short that is and however busy the machine. py-spy's own way, which stops it, is counted too. Linux.
"""

from __future__ import annotations

import re
import subprocess
import sys
from collections import Counter
from pathlib import Path

from benchmarks.attachments import attached
from mlxprobe.supervisor.pyspy_stacks import program

LOOP = "print('ready', flush=True)\nwhile True:\n    pass\n"
CONTROL = 10


def left(pid: int) -> int:
    """Return how often a process has left a processor otherwise than by losing it to another."""
    found = re.search(r"^voluntary_ctxt_switches:\s*(\d+)", Path(f"/proc/{pid}/status").read_text(), re.MULTILINE)
    assert found
    return int(found[1])


def main() -> None:
    """Print how often the loop was stopped, by us and by who stops."""
    times = int(sys.argv[1]) if sys.argv[1:] else 100
    with subprocess.Popen([sys.executable, "-c", LOOP], stdout=subprocess.PIPE, text=True) as loop:
        assert loop.stdout is not None
        assert loop.stdout.readline() == "ready\n"
        before = left(loop.pid)
        told = Counter(attached(loop.pid)[0] for _ in range(times))
        stops = left(loop.pid) - before
        for _ in range(CONTROL):
            subprocess.run([program(), "dump", "--pid", str(loop.pid)], capture_output=True, check=True)
        control = left(loop.pid) - before - stops
        loop.kill()
    print(f"{times} attachments, {dict(told)}: stopped {stops} times; {CONTROL} of py-spy's own dumps: {control} times")
    raise SystemExit(stops > 0 or control < CONTROL)


if __name__ == "__main__":
    main()
