"""Is a process ever held up by being attached to? Two of them, attached to in turn: each is the other's control.

`python -m benchmarks.gaps [TIMES]`: each 100 times, where no number is given. A gap is what an empty loop took beyond
its waits for a processor. Needs Linux.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.attachments import attached

PROGRAM = Path(__file__).parent / "programs" / "gaps.py"
LIMITS_MS = (0.5, 1, 2, 5, 10, 20, 50, 100)
Gaps = list[tuple[int, int]]


def main() -> None:
    """Print how many gaps there were of which length, while attached to, while the other was, and per minute."""
    times = int(sys.argv[1]) if sys.argv[1:] else 100
    with tempfile.TemporaryDirectory() as name:
        both = [
            subprocess.Popen([sys.executable, str(PROGRAM)], cwd=name, stdout=subprocess.PIPE, text=True) for _ in "ab"
        ]
        for one in both:
            assert one.stdout is not None
            assert one.stdout.readline() == "ready\n"
        windows: list[list[tuple[int, int]]] = [[], []]
        states = []
        for n in range(2 * times):
            began_ns = time.monotonic_ns()
            states.append(attached(both[n % 2].pid)[0])
            windows[n % 2].append((began_ns, time.monotonic_ns()))
        (Path(name) / "STOP").touch()
        gaps = [told(one.communicate()[0]) for one in both]
    print(f"{2 * times} attachments: {sorted(set(states))}")
    for what, of in (("attached to", (0, 1)), ("the other attached to", (1, 0))):
        found = [lost for k in (0, 1) for lost in within(gaps[k], windows[of[k]])]
        minutes = sum(end - begin for k in (0, 1) for begin, end in windows[of[k]]) / 60e9
        counts = ", ".join(f">{ms} ms: {sum(lost > ms * 1e6 for lost in found)}" for ms in LIMITS_MS)
        print(f"{what}, {minutes:.1f} min: {counts}; longest {max(found, default=0) / 1e6:.1f} ms")


def told(text: str) -> Gaps:
    """Read what a program has printed."""
    return [(int(at), int(lost)) for at, lost in (line.split() for line in text.splitlines() if line)]


def within(gaps: Gaps, windows: list[tuple[int, int]]) -> list[int]:
    """Return how long the gaps were that lie in any of some windows."""
    return [lost for at, lost in gaps if any(begin <= at <= end for begin, end in windows)]


if __name__ == "__main__":
    main()
