"""What watching costs a healthy loop: step time, start-up and CPU, beside py-spy, memray and cProfile, interleaved.

`python -m benchmarks.agent_overhead [ROUNDS]`; py-spy and memray are left out where they are not installed.
"""

import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

LOOP = str(Path(__file__).parent / "programs" / "healthy_loop.py")
SIZES = {"short steps": ("200", "4"), "long steps": ("40", "96")}
FIGURES = re.compile(r"cpu_ms ([\d.]+)\s+median_ms ([\d.]+)")
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


def step_figures(order: list[str], arguments: tuple[str, ...]) -> tuple[float, float] | None:
    """Return the median step and its CPU time in ms; None where the tool cannot run here."""
    done = subprocess.run([*order, LOOP, *arguments], capture_output=True, text=True, check=False)
    found = FIGURES.search(done.stdout)
    return (float(found[2]), float(found[1])) if found else None


def compare(name: str, arguments: tuple[str, ...], rounds: int, folder: str) -> None:
    """Print each tool's ratio to the plain run of the same round."""
    ratios: dict[str, list[tuple[float, float]]] = {}
    plains = []
    for number in range(rounds):
        order = list(tools(folder).items())
        order = order[number % len(order) :] + order[: number % len(order)]
        seen = {tool: step_figures(words, arguments) for tool, words in order}
        plain = seen.pop("plain")
        assert plain is not None
        plains.append(plain[0])
        for tool, figures in seen.items():
            if figures is not None:
                ratios.setdefault(tool, []).append((figures[0] / plain[0], figures[1] / plain[1]))
    print(f"{name}: {statistics.median(plains):.2f} ms a step without anything, {rounds} rounds")
    for tool, pairs in ratios.items():
        wall = sorted(one for one, _ in pairs)
        cpu = statistics.median(one for _, one in pairs)
        print(
            f"  {tool:15} × {statistics.median(wall):.3f} (from {wall[0]:.3f} to {wall[-1]:.3f}), CPU × {cpu:.3f}",
            flush=True,
        )


def start_up(rounds: int, folder: str) -> None:
    """Print what each tool adds to a program that only imports MLX."""
    script = Path(folder) / "nothing.py"
    script.write_text(NOTHING)
    took: dict[str, list[float]] = {}
    for _ in range(rounds):
        for tool, words in tools(folder).items():
            began = time.perf_counter()
            subprocess.run([*words, str(script)], capture_output=True, check=False)
            took.setdefault(tool, []).append(time.perf_counter() - began)
    plain = statistics.median(took.pop("plain"))
    print(f"start-up: {plain:.3f} s without anything")
    for tool, times in took.items():
        print(f"  {tool:15} + {statistics.median(times) - plain:.3f} s")


def main() -> None:
    """Run all."""
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 9
    with tempfile.TemporaryDirectory() as folder:
        start_up(rounds, folder)
        for name, arguments in SIZES.items():
            compare(name, arguments, rounds, folder)


if __name__ == "__main__":
    main()
