"""Run all scenarios many times under hard conditions and count verdicts that were not expected.

`python -m benchmarks.steadiness [RUNS] [CONDITION ...]`; all conditions where none is named.
"""

from __future__ import annotations

import contextlib
import os
import random
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil

from mlxprobe.schema.record import ProgramRecord
from mlxprobe.schema.record_io import load

ROOT = Path(__file__).parents[1]
PAUSE_S, BETWEEN_S = 2.0, 4.0
PROCESSORS = os.sched_getaffinity(0)
Order = list[str]


@contextlib.contextmanager
def quiet() -> Iterator[Order]:
    """Run as it is."""
    yield [sys.executable, "-m", "mlxprobe"]


@contextlib.contextmanager
def busy() -> Iterator[Order]:
    """Run beside four busy loops."""
    loops = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(4)]
    try:
        with quiet() as order:
            yield order
    finally:
        for loop in loops:
            loop.kill()
            loop.wait()


@contextlib.contextmanager
def one_core() -> Iterator[Order]:
    """Run on one processor."""
    with quiet() as order:
        yield ["taskset", "-c", str(min(PROCESSORS)), *order]


@contextlib.contextmanager
def nice() -> Iterator[Order]:
    """Run at the lowest priority, beside one busy loop a processor."""
    loops = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in PROCESSORS]
    try:
        with quiet() as order:
            yield ["nice", "-n", "19", *order]
    finally:
        for loop in loops:
            loop.kill()
            loop.wait()


@contextlib.contextmanager
def wheel() -> Iterator[Order]:
    """Run what a wheel installs, below a folder that is named like the standard library's."""
    from uv import find_uv_bin

    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder) / "mlx" / "lib" / "python3.11" / "site-packages" / "a b"
        uv = find_uv_bin()
        for order in (
            [uv, "build", "--quiet", "--wheel", "--out-dir", folder, str(ROOT)],
            [uv, "venv", "--quiet", "--python", sys.executable, str(place)],
        ):
            subprocess.run(order, check=True)
        built = next(Path(folder).glob("*.whl"))
        install = [uv, "pip", "install", "--quiet", "--python", str(place / "bin" / "python"), f"{built}[cpu]"]
        subprocess.run(install, check=True)
        yield [str(place / "bin" / "mlxprobe")]


CONDITIONS: dict[str, tuple[Callable[[], contextlib.AbstractContextManager[Order]], bool]] = {
    "quiet": (quiet, False),
    "busy": (busy, False),
    "one-core": (one_core, False),
    "wheel": (wheel, False),
    "nice": (nice, False),
    "pauses": (quiet, True),
}


def pause_now_and_then(supervisor: int, over: threading.Event) -> None:
    """Stop, in turn, a whole program with its reaper, and the supervisor, for `PAUSE_S` each."""
    chance = random.Random(0)
    for turn in range(10**6):
        if over.wait(BETWEEN_S * (0.5 + chance.random())):
            return
        with contextlib.suppress(psutil.Error, OSError):
            here = psutil.Process(supervisor)
            reapers = here.children()
            if turn % 2 or not reapers:
                stopped = [here]
            else:
                program = chance.choice(reapers)
                stopped = [program, *program.children(recursive=True)]
            for one in stopped:
                one.send_signal(signal.SIGSTOP)
            over.wait(PAUSE_S)
            for one in stopped:
                with contextlib.suppress(psutil.Error):
                    one.send_signal(signal.SIGCONT)


def one_run(order: Order, *, pauses: bool) -> tuple[list[ProgramRecord], float]:
    """Run all scenarios; return what was not as expected, and the seconds that it took."""
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        log = Path(folder) / "log"
        with log.open("w") as file:
            running = subprocess.Popen(
                [*order, "run", "--reports", folder], stdout=file, stderr=file, cwd=folder, env=os.environ
            )
            over = threading.Event()
            pausing = threading.Thread(target=pause_now_and_then, args=(running.pid, over), daemon=True)
            if pauses:
                pausing.start()
            running.wait()
            over.set()
            if pauses:
                pausing.join()
        kept = Path(folder) / "latest" / "record.json"
        if not kept.is_file():
            raise SystemExit(f"the run left no record:\n{log.read_text()[-2000:]}")
        record = load(kept)
    return [one for one in record.programs if not one.as_expected], time.monotonic() - began


def main() -> None:
    """Print each run's time and what was unexpected in it, and a line for every condition."""
    words = sys.argv[1:]
    runs = int(words.pop(0)) if words and words[0].isdigit() else 5
    told = []
    for name in words or list(CONDITIONS):
        prepare, pauses = CONDITIONS[name]
        unexpected, took_s = [], []
        with prepare() as order:
            for number in range(1, runs + 1):
                found, seconds = one_run(order, pauses=pauses)
                unexpected += found
                took_s.append(seconds)
                print(f"{name} {number}: {seconds:.0f} s, {len(found)} unexpected", flush=True)
                for one in found:
                    print(f"    {one.name}: {one.outcome}: {one.reason}", flush=True)
        told.append(
            f"{name:9} {runs} runs, {min(took_s):.0f}–{max(took_s):.0f} s each: {len(unexpected)} unexpected verdicts"
        )
    print(*told, sep="\n")


if __name__ == "__main__":
    main()
