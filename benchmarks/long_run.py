"""What a run of very many steps costs whoever watches it: memory of the supervisor, size of its reports.

`python -m benchmarks.long_run [STEPS] [RANKS]`: ten million steps in one process where no number is given; with ranks,
each tells its part of them. What a real loop's agent tells of
its first 20,000 steps is told again and again, as fast as it is taken in; `mlxprobe watch` writes its report anew all
the while.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from pathlib import Path

import psutil

import mlxprobe.supervisor.watch
from mlxprobe.runner.watch_session import limits_of
from mlxprobe.schema.program import Program
from mlxprobe.schema.record_io import load
from mlxprobe.selftest import overhead
from mlxprobe.settings.table import resolve
from mlxprobe.supervisor.processes import Processes
from mlxprobe.supervisor.watch import observe

PROGRAMS = Path(__file__).parent / "programs"
RECORDED = 20_000
LOOK_S = 0.5
WARM = 0.02  # of the steps; what is held by then is what a short run holds


class Recording(Processes):
    """Keep what is told, as it came."""

    lines: bytes = b""

    def feed(self, lines: bytes) -> bool:
        """Take in complete lines."""
        Recording.lines += lines
        return super().feed(lines)


def record(file: Path) -> None:
    """Run a real loop, and write what its agent tells into a file."""
    vars(mlxprobe.supervisor.watch)["Processes"] = Recording
    words = (sys.executable, overhead.SHORT_STEPS, str(RECORDED), "1")
    seen = observe(Program(name="short_steps.py", command=words), limits_of(resolve({})))
    if not seen.finished or seen.steps[-1].n < RECORDED:
        raise SystemExit(f"the loop did not end well: {seen.ended}, {seen.output_tail[-500:]}")
    file.write_bytes(Recording.lines)


def resident(process: psutil.Process) -> int:
    """Return what a process holds now; 0 where it has ended."""
    try:
        return int(process.memory_info().rss)
    except psutil.Error:
        return 0


def told(file: Path) -> int:
    """Return how many steps a report tells of; 0 where there is none yet."""
    return load(file).programs[0].steps if file.is_file() else 0


def main() -> None:
    """Print the supervisor's memory as the steps are told, and what its reports came to."""
    steps, ranks = (*map(int, sys.argv[1:]), *(10_000_000, 1)[len(sys.argv) - 1 :])
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        record(folder / "lines")
        all_ranks = f'for rank in $(seq {ranks}); do "$@" "$MLXPROBE_FOLDER/events" $rank & done; wait'
        again = ["sh", "-c", all_ranks, "sh"]  # which the agent would hide
        again += [
            sys.executable,
            str(PROGRAMS / "told_again.py"),
            str(folder / "lines"),
            str(steps // ranks),
            str(ranks),
        ]
        report = folder / "report.json"
        order = [sys.executable, "-m", "mlxprobe", "watch", "--every", "5s", "--format", "json", "--output"]
        began_s = time.monotonic()
        running = subprocess.Popen(
            [*order, str(report), "--", *again], cwd=Path(__file__).parents[1], stderr=subprocess.PIPE, text=True
        )
        held: list[tuple[int, int]] = []
        process = psutil.Process(running.pid)
        while running.poll() is None:
            time.sleep(LOOK_S)
            if bytes_ := resident(process):
                held.append((told(report), bytes_))
        text = running.communicate()[1]
        warm = max(now for known, now in held if known <= WARM * steps)
        most = max(now for _, now in held)
        last = load(report)
        row = last.programs[0]
        print(f"{row.steps:,} steps told in {time.monotonic() - began_s:.0f} s; exit code {running.returncode}")
        for share in (0.02, 0.1, 0.25, 0.5, 1.0):
            print(f"  up to {share:.0%}: {max(now for known, now in held if known <= share * steps) / 1e6:.0f} MB")
        print(f"supervisor: {warm / 1e6:.0f} MB early, {most / 1e6:.0f} MB at most: {(most - warm) / 1e6:+.0f} MB")
        print(f"record: {report.stat().st_size / 1e6:.2f} MB; {len(row.step_s)} steps, {len(row.losses)} losses")
        print(f"losses, samples, memory: {len(row.losses)}, {len(row.samples)}, {len(row.memory)}")
        print(f"said live: {len(text.splitlines())} lines on stderr")
        print(text[-1500:])


if __name__ == "__main__":
    main()
