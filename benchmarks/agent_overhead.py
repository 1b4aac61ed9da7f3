"""What the agent costs a healthy loop: step time with and without it, in interleaved pairs."""

import re
import statistics
import subprocess
import sys
from pathlib import Path

from mlxprobe.model import Limits, Program
from mlxprobe.supervisor.watch import observe

LOOP = str(Path(__file__).parent / "programs" / "healthy_loop.py")
LIMITS = Limits(stall_s=30, startup_s=30, timeout_s=300, memory_bytes=8 << 30)
SIZES = {"short steps": ("200", "4"), "long steps": ("40", "96")}
PAIRS = int(sys.argv[1]) if len(sys.argv) > 1 else 15


def plain(arguments: tuple[str, ...]) -> tuple[float, float]:
    """Return the median step and its CPU time in ms without mlxprobe."""
    done = subprocess.run([sys.executable, LOOP, *arguments], capture_output=True, text=True, check=True)
    return figures(done.stdout)


def watched(arguments: tuple[str, ...]) -> tuple[tuple[float, float], float]:
    """Return the same under the agent, and the share of a core that the supervisor used."""
    before = cpu_s()
    seen = observe(Program(name="loop", argv=("script", LOOP, *arguments), python=sys.executable), LIMITS)
    return figures(seen.output_tail), (cpu_s() - before) / seen.wall_s


def cpu_s() -> float:
    """Return the CPU seconds of this process alone."""
    import time

    return time.process_time()


def figures(text: str) -> tuple[float, float]:
    """Read the median step and the CPU time of a step that the loop printed."""
    found = re.search(r"cpu_ms ([\d.]+)\s+median_ms ([\d.]+)", text)
    assert found, text
    return float(found[2]), float(found[1])


def main() -> None:
    """Print ratio and shares for both sizes."""
    for name, arguments in SIZES.items():
        ratios, cpu_ratios, plains, shares = [], [], [], []
        for pair in range(PAIRS):
            if pair % 2:
                without, (with_, share) = plain(arguments), watched(arguments)
            else:
                (with_, share), without = watched(arguments), plain(arguments)
            ratios.append(with_[0] / without[0])
            cpu_ratios.append(with_[1] / without[1])
            plains.append(without[0])
            shares.append(share)
        low, _, high = statistics.quantiles(ratios, n=4)
        print(
            f"{name}: {statistics.median(plains):.2f} ms a step; with the agent × {statistics.median(ratios):.4f} "
            f"(quartiles {low:.4f} – {high:.4f}, {PAIRS} pairs), CPU × {statistics.median(cpu_ratios):.4f}; "
            f"supervisor {100 * statistics.median(shares):.1f} % of a core"
        )


if __name__ == "__main__":
    main()
