"""What the recorder of collectives costs a reduction of two ranks, and what watching costs a step of 6 ms of four.

`python -m benchmarks.ranks_overhead [PAIRS] [STEP_PAIRS] [--root FOLDER]`: medians and quarters of 15 pairs, of 7, or
of as many as are given. Reductions are seen and not in turn, in one watched run: processor time of the thread that asks
for them. Steps are bare and watched run by run, who goes first changes. All figures are rank 0's, in µs; `--root` takes
the mlxprobe of another folder.
"""

import argparse
import os
import random
import re
import statistics
import subprocess
import sys
from pathlib import Path

PROGRAM = str(Path(__file__).parent / "programs" / "collectives.py")
LAUNCH = str(Path(sys.executable).with_name("mlx.launch"))
PORTS = range(20_000, 30_000, 8)
WATCH = [sys.executable, "-m", "mlxprobe", "watch", "--no-live", "--"]
FIGURE = re.compile(r"(\w+) ([\d.]+)")
STEPS, GUARD_S = "100", 300
CALIBRATIONS = 3

Figures = dict[str, list[float]]


def run(before: list[str], ranks: int, words: list[str], root: str) -> Figures:
    """Run the program on some ranks, or as it is; return what rank 0 printed, by name."""
    launch = [LAUNCH, "--backend", "ring", "--starting-port", str(random.choice(PORTS)), "-n", str(ranks)]
    order = [*before, *(launch if ranks else []), sys.executable, PROGRAM, *words]
    given = {**os.environ, **({"PYTHONPATH": root} if root else {})}
    found: Figures = {}
    try:
        ran = subprocess.run(
            order, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False, timeout=GUARD_S, env=given
        )
    except subprocess.TimeoutExpired:
        return found
    for name, value in FIGURE.findall(ran.stdout):
        found.setdefault(name, []).append(float(value))
    return found


def steps(pairs: int, words: list[str], root: str) -> tuple[Figures, Figures]:
    """Run steps on four ranks, bare and watched in turn; return the figures of whole pairs."""
    bare: Figures = {}
    watched: Figures = {}
    for k in range(pairs):
        ways = [WATCH, []] if k % 2 else [[], WATCH]
        told = {bool(way): run(way, 4, words, root) for way in ways}
        for name in told[False].keys() & told[True].keys():
            bare.setdefault(name, []).extend(told[False][name])
            watched.setdefault(name, []).extend(told[True][name])
    return bare, watched


def row(name: str, bare: list[float], watched: list[float]) -> None:
    """Print what watching adds, pair by pair."""
    added = [two - one for one, two in zip(bare, watched, strict=True)]
    share = [two / one for one, two in zip(bare, watched, strict=True)]
    low, median, high = statistics.quantiles(added, n=4) if len(added) > 1 else added * 3
    print(f"{name:34} {statistics.median(bare):9.1f} + {median:7.1f} ({low:.1f} – {high:.1f})"
          f"  × {statistics.median(share):.3f}, {len(added)} pairs", flush=True)  # fmt: skip


def main() -> None:
    """Run both."""
    parser = argparse.ArgumentParser()
    parser.add_argument("pairs", nargs="?", type=int, default=15)
    parser.add_argument("step_pairs", nargs="?", type=int, default=7)
    parser.add_argument("--root", default="")
    given = parser.parse_args()
    print("load", *(f"{one:.1f}" for one in os.getloadavg()), flush=True)
    if given.pairs:
        told = run(WATCH, 2, ["alone", str(given.pairs)], given.root)
        row("a reduction, two ranks: CPU", told["bare"], told["seen"])
    if given.step_pairs:
        products = max(run([], 0, ["step", "0", "0"], "")["products"][0] for _ in range(CALIBRATIONS))
        bare, watched = steps(given.step_pairs, ["step", STEPS, f"{products:.0f}"], given.root)
        row("a step, four ranks: CPU", bare["cpu_us"], watched["cpu_us"])
        row("a step, four ranks: time", bare["step_us"], watched["step_us"])
        print(f"{products:.0f} products a step; load", *(f"{one:.1f}" for one in os.getloadavg()), flush=True)


if __name__ == "__main__":
    main()
