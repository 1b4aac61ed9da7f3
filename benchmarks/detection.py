"""Who notices a hang: mlxprobe, pytest-timeout (both methods), timeout(1), watching the output. In one run.

Every watchdog gets the same programs and the same limit. Asked of each: seconds until it told, whether it told at all,
whether it told where, and how many processes it left running.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import psutil

from mlxprobe.schema.metrics import where
from mlxprobe.schema.observation import Limits, Program
from mlxprobe.selftest.misbehaving import FOLDER as TOYS
from mlxprobe.supervisor.watch import observe

ROOT = Path(__file__).parents[1]
LIMIT_S = 2.0
PATIENCE_S = 8.0
PROGRAMS = {
    "blocked in C, lock released": TOYS / "blocked_without_gil.py",
    "blocked in C, lock held": TOYS / "blocked_with_gil.py",
    "busy loop": TOYS / "busy_loop.py",
    "prints for ever": TOYS / "prints_for_ever.py",
    "closes stdout and hangs": TOYS / "closes_stdout.py",
    "hangs at exit": TOYS / "hangs_at_exit.py",
    "hangs beside a detached grandchild": TOYS / "waits_with_a_grandchild.py",
    "forked worker evaluates (MLX)": ROOT / "scenarios" / "fork_after_eval.py",
}


class Told(NamedTuple):
    """One watchdog's answer on one program."""

    seconds: float
    told: bool
    where: bool


def body_of(file: Path) -> str:
    """Return Python that runs a program: a toy's file, or the broken body of a scenario."""
    if file.parent == TOYS:
        return f"import runpy; runpy.run_path({str(file)!r}, run_name='__main__')"
    found = re.search(r"@probe\.broken\(.*?\)\ndef (\w+)", file.read_text(), re.DOTALL)
    assert found
    return f"import sys; sys.path.insert(0, {str(file.parent)!r}); import {file.stem} as s; s.{found[1]}()"


def mlxprobe(file: Path, environment: dict[str, str], folder: Path) -> Told:
    """Watch with mlxprobe's supervisor."""
    script = folder / "program.py"
    script.write_text(f"if __name__ == '__main__':\n    {body_of(file)}\n")
    limits = Limits(stall_s=LIMIT_S, startup_s=10, timeout_s=60, memory_bytes=4 << 30)
    target = ("script", str(file)) if file.parent == TOYS else ("script", str(script))
    began = time.monotonic()
    seen = observe(Program(name="hang", argv=target, python=sys.executable, env=environment), limits)
    place = where(seen)
    return Told(time.monotonic() - began, seen.ended == "stalled", bool(place))


def pytest_timeout(method: str) -> Callable[[Path, dict[str, str], Path], Told]:
    """Watch with pytest-timeout by one of its methods."""

    def watch(file: Path, environment: dict[str, str], folder: Path) -> Told:
        test = folder / "test_program.py"
        test.write_text(f"def test_program():\n    {body_of(file)}\n")
        plain = ["-p", "no:cacheprovider", "-p", "no:mlxprobe", "-q"]
        order = [
            sys.executable,
            "-m",
            "pytest",
            *plain,
            f"--timeout={LIMIT_S}",
            f"--timeout-method={method}",
            str(test),
        ]
        seconds, output, ended = patiently(order, environment, folder)
        name = file.name if file.parent == TOYS else file.stem
        return Told(seconds, ended and "Timeout" in output, "Timeout" in output and name in output)

    return watch


def coreutils_timeout(file: Path, environment: dict[str, str], folder: Path) -> Told:
    """Watch with timeout(1)."""
    order = ["timeout", str(LIMIT_S), sys.executable, "-c", body_of(file)]
    seconds, _, ended = patiently(order, environment, folder)
    return Told(seconds, ended, False)


def output_watching(file: Path, environment: dict[str, str], folder: Path) -> Told:
    """Watch as harnesses do that take output for progress and a closed pipe for the end."""
    began = time.monotonic()
    child = subprocess.Popen(
        [sys.executable, "-c", body_of(file)],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        env=os.environ | environment,
    )
    assert child.stdout
    os.set_blocking(child.stdout.fileno(), False)
    last, told = began, False
    while time.monotonic() - began < PATIENCE_S and not told:
        time.sleep(0.02)
        chunk = child.stdout.read(1 << 16)
        if chunk == b"":
            break  # closed: such a harness goes on to wait for the process, without a limit
        if chunk:
            last = time.monotonic()
        told = time.monotonic() - last > LIMIT_S
    seconds = time.monotonic() - began if told else PATIENCE_S
    if told:
        child.kill()
        child.wait(5)
    return Told(seconds, told, False)


def patiently(order: list[str], environment: dict[str, str], folder: Path) -> tuple[float, str, bool]:
    """Run a watchdog for at most `PATIENCE_S`; return seconds, output, and whether it ended by itself."""
    began = time.monotonic()
    with (folder / "output.txt").open("w+b") as output:
        process = subprocess.Popen(order, stdout=output, stderr=output, cwd=folder, env=os.environ | environment)
        try:
            process.wait(PATIENCE_S)
            ended = True
        except subprocess.TimeoutExpired:
            ended = False
        seconds = time.monotonic() - began
        output.seek(0)
        return seconds, output.read(1 << 20).decode(errors="replace"), ended


def left_running(marker: str) -> list[psutil.Process]:
    """Find what is left of a program by the marker in its environment."""
    found = []
    for process in psutil.process_iter():
        try:
            if process.environ().get("HANG_MARKER") == marker and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process)
        except psutil.Error:
            continue
    return found


WATCHDOGS: dict[str, Callable[[Path, dict[str, str], Path], Told]] = {
    "mlxprobe": mlxprobe,
    "pytest-timeout, thread": pytest_timeout("thread"),
    "pytest-timeout, signal": pytest_timeout("signal"),
    "timeout(1)": coreutils_timeout,
    "output watching": output_watching,
}


def main() -> None:
    """Print a Markdown table: a row per program, a column per watchdog."""
    print(f"Limit {LIMIT_S:g} s; `–` was not told within {PATIENCE_S:g} s; `n left` processes went on running.\n")
    print("| program | " + " | ".join(WATCHDOGS) + " |")
    print("| --- " * (len(WATCHDOGS) + 1) + "|")
    for name, file in PROGRAMS.items():
        cells = []
        for watch in WATCHDOGS.values():
            marker = uuid.uuid4().hex
            with tempfile.TemporaryDirectory() as folder:
                told = watch(file, {"HANG_MARKER": marker}, Path(folder))
            left = left_running(marker)
            for process in left:
                process.kill()
            cell = f"{told.seconds:.1f} s" if told.told else "–"
            cells.append(cell + (", where" if told.where else "") + (f", {len(left)} left" if left else ""))
        print(f"| {name} | " + " | ".join(cells) + " |", flush=True)


if __name__ == "__main__":
    main()
