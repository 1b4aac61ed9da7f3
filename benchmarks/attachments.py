"""Attach to one training again and again: are its losses the same in every bit, and was it ever held up?

`python -m benchmarks.attachments [TIMES] [AT ONCE]`: 100 times, four at once, where no number is given. Bare runs of
as many steps follow, beside as many other processes.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

PROGRAM = Path(__file__).parent / "programs" / "exact_losses.py"
BARE = 4


class Trained(NamedTuple):
    """What a training has printed at its end."""

    steps: int
    losses: str
    longest_ms: float


def started(folder: Path, *words: str) -> subprocess.Popen[str]:
    """Start the training, and wait for its first step."""
    made = subprocess.Popen([sys.executable, str(PROGRAM), *words], cwd=folder, stdout=subprocess.PIPE, text=True)
    assert made.stdout is not None
    assert made.stdout.readline() == "ready\n"
    return made


def ended(training: subprocess.Popen[str]) -> Trained:
    """Wait for its end."""
    steps, losses, longest_ms = training.communicate()[0].split()
    return Trained(int(steps), losses, float(longest_ms))


def attached(pid: int) -> tuple[str, float]:
    """Attach once; return what it is said to be, and how long that took."""
    began_s = time.monotonic()
    order = [sys.executable, "-m", "mlxprobe", "attach", str(pid), "--format", "json"]
    done = subprocess.run(order, capture_output=True, text=True, check=False)
    return json.loads(done.stdout)["state"], time.monotonic() - began_s


def main() -> None:
    """Print how often it was attached to, as what, and whether its losses are those of the bare runs."""
    times, at_once = (*map(int, sys.argv[1:]), *(100, 4)[len(sys.argv) - 1 :])
    with tempfile.TemporaryDirectory() as name, ThreadPoolExecutor(at_once) as pool:
        training = started(Path(name))
        told = list(pool.map(attached, [training.pid] * times))
        (Path(name) / "STOP").touch()
        seen = ended(training)
        took = sorted(s for _, s in told)
        print(f"{times} attachments, {at_once} at once: {dict(Counter(state for state, _ in told))}")
        print(f"each took {took[0]:.1f} to {took[-1]:.1f} s, half of them {took[times // 2]:.1f} s or less")
        print(f"{seen.steps:,} steps; the longest was held up for {seen.longest_ms:.0f} ms at most")
        bare = list(pool.map(ended, [started(Path(name), str(seen.steps)) for _ in range(BARE)]))
    longest = ", ".join(f"{one.longest_ms:.0f}" for one in bare)
    equal = sum(one.losses == seen.losses for one in bare)
    print(f"bare: {equal} of {BARE} runs have its losses, in every bit; the longest steps of each: {longest} ms")
    raise SystemExit(equal != BARE)


if __name__ == "__main__":
    main()
