"""What watching costs a healthy loop: step time, start-up and CPU, beside py-spy, memray and cProfile, interleaved.

`python -m benchmarks.agent_overhead [ROUNDS] [--only NAME] [--loop NAME]`: medians of 15 rounds, or of as many as are
given. py-spy and memray are left out where they are not installed; `--only mlxprobe` leaves all others out. `--loop`
takes those whose names begin so, `start` among them. Of the loop on four ranks the first rank tells.
"""

import argparse
import random
import shutil
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from functools import partial
from pathlib import Path

from mlxprobe.selftest.overhead import SHORT_STEPS, Figures, installed, interleaved

PROGRAMS = Path(__file__).parent / "programs"
LOOPS = {
    "steps of 0.1 ms": (SHORT_STEPS, "10000", "1"),
    "steps of 0.2 ms": (SHORT_STEPS, "8000", "3"),
    "short steps": ("healthy_loop.py", "200", "4"),
    "steps of 6 ms": ("healthy_loop.py", "1200", "4"),
    "long steps": ("healthy_loop.py", "40", "96"),
    "never evaluated": ("never_evaluates.py", "400"),
    "four ranks": ("healthy_loop.py", "400", "2", "4"),  # the last is how many
}
UNITS = ("CPU, ms", "mean, ms", "step, ms")
PORTS = range(20_000, 30_000, 8)
NOTHING = "import mlx.core, mlx.nn, mlx.optimizers"


def tools(folder: str) -> dict[str, list[str]]:
    """Return the words that each tool puts before a script and its arguments."""
    found = {
        "plain": [sys.executable],
        "mlxprobe watch": [sys.executable, "-m", "mlxprobe", "watch", "--no-live"],
        "cProfile": [sys.executable, "-m", "cProfile", "-o", f"{folder}/profile"],
    }
    if shutil.which("py-spy", path=str(Path(sys.executable).parent)):
        spy = str(Path(sys.executable).with_name("py-spy"))
        found["py-spy record"] = [spy, "record", "-o", f"{folder}/spy.svg", "--", sys.executable]
    if shutil.which("memray", path=str(Path(sys.executable).parent)):
        found["memray run"] = [sys.executable, "-m", "memray", "run", "-f", "-o", f"{folder}/memray.bin"]
    return found


def words_of(order: list[str], loop: tuple[str, ...]) -> list[str]:
    """Return the words that run a loop under a tool; of those that cannot watch a command, none for several ranks."""
    script = [str(PROGRAMS / loop[0]), *loop[1:]]
    if len(loop) <= 3:
        return [*order, *script]
    if order[1:] and "mlxprobe" not in order:
        return []
    launch = [str(Path(sys.executable).with_name("mlx.launch")), "-n", loop[3], "--backend", "ring"]
    launch += ["--starting-port", str(random.choice(PORTS))]
    return [*([*order, "--"] if order[1:] else []), *launch, sys.executable, *script]


def row(name: str, tool: str, values: list[float], unit: str, plain: float) -> None:
    """Print one line of the table: median, quarters and extremes of a figure relative to the plain run's."""
    low, median, high = statistics.quantiles(values, n=4) if len(values) > 1 else values * 3
    spread = f"{low:6.3f} – {high:.3f} ({min(values):.3f} – {max(values):.3f})"
    print(f"{name:16} {tool:15} {unit:9} {plain:9.3f} {median:7.3f} {spread}", flush=True)


def compare(name: str, loop: tuple[str, ...], rounds: int, orders: dict[str, list[str]]) -> None:
    """Print each tool's ratio to the plain run of the same round, of a step's time and of its CPU time."""
    pairs: dict[str, list[Figures]] = {}
    plains = []
    words = {tool: partial(words_of, order, loop) for tool, order in orders.items()}
    for seen in interleaved(words, rounds, threading.Event()):
        plain = seen.pop("plain", None)
        if plain is None:
            continue
        plains.append(plain)
        for tool, figures in seen.items():
            pairs.setdefault(tool, []).append(tuple(one / other for one, other in zip(figures, plain, strict=True)))
    for tool, ratios in pairs.items():
        for k, unit in enumerate(UNITS):
            row(name, tool, [one[k] for one in ratios], unit, statistics.median(one[k] for one in plains))


def start_up(rounds: int, folder: str, orders: dict[str, list[str]]) -> None:
    """Print what each tool adds to a program that only imports MLX, in seconds."""
    script = Path(folder) / "nothing.py"
    script.write_text(NOTHING)
    took: dict[str, list[float]] = {}
    for _ in range(rounds):
        for tool, words in orders.items():
            began = time.perf_counter()
            subprocess.run([*words, str(script)], capture_output=True, check=False, env=installed())
            took.setdefault(tool, []).append(time.perf_counter() - began)
    plain = took.pop("plain")
    for tool, times in took.items():
        more = [one - other for one, other in zip(times, plain, strict=True)]
        row("start and end", tool, more, "+ s", statistics.median(plain))


def main() -> None:
    """Run all."""
    parser = argparse.ArgumentParser()
    parser.add_argument("rounds", nargs="?", type=int, default=15)
    parser.add_argument("--only", default="", help="the tools whose names begin so")
    parser.add_argument("--loop", default="", help="the loops whose names begin so")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        orders = {
            tool: words for tool, words in tools(folder).items() if tool == "plain" or tool.startswith(given.only)
        }
        print(f"{'loop':16} {'tool':15} {'figure':9} {'plain':>9} {'median':>7} quarters (extremes), {given.rounds} ×")
        if "start and end".startswith(given.loop):
            start_up(given.rounds, folder, orders)
        for name, loop in LOOPS.items():
            if name.startswith(given.loop):
                compare(name, loop, given.rounds, orders)


if __name__ == "__main__":
    main()
