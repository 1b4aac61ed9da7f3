"""Run everything many times and count verdicts that were not expected: `steadiness.py [RUNS] [--busy]`."""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from pathlib import Path

from mlxprobe.values.files import load


def main() -> None:
    """Print each run's time and what was unexpected in it; `--busy` keeps two other processes at work meanwhile."""
    arguments = [one for one in sys.argv[1:] if one != "--busy"]
    runs = int(arguments[0]) if arguments else 20
    others = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(2 * ("--busy" in sys.argv))]
    total = 0
    try:
        for number in range(1, runs + 1):
            began = time.monotonic()
            unexpected = one_run()
            total += len(unexpected)
            print(
                f"run {number}: {time.monotonic() - began:.1f} s, {len(unexpected)} unexpected", *unexpected, flush=True
            )
    finally:
        for other in others:
            other.kill()
            other.wait()
    print(f"{runs} runs, {total} unexpected verdicts")


def one_run() -> list[str]:
    """Run all scenarios; return what was not as expected, with its reason."""
    with tempfile.TemporaryDirectory() as folder:
        order = [sys.executable, "-m", "mlxprobe", "run", "--reports", folder]
        subprocess.run(order, check=False, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        record = load(Path(folder) / "latest" / "record.json")
    return [f"\n    {one.name}: {one.outcome}: {one.reason}" for one in record.programs if not one.as_expected]


if __name__ == "__main__":
    main()
