"""Run a user's program twice: as it is, and under `mlxprobe watch`; and in a terminal of its own."""

from __future__ import annotations

import fcntl
import json
import os
import pty
import re
import select
import signal
import struct
import subprocess
import sys
import termios
import time
from pathlib import Path
from typing import Any, NamedTuple

from watching import GUARD_S

from mlxprobe.reports import diagnosis
from mlxprobe.schema.record_io import load

MLXPROBE = (sys.executable, "-m", "mlxprobe")
PRELUDE = """
import mlx.core as mx, mlx.nn as nn, mlx.optimizers as optim
mx.random.seed(0)
model, optimizer = nn.Linear(4, 1), optim.SGD(0.1)
x = mx.random.normal((32, 4))
y = x.sum(1, keepdims=True)
gradients = nn.value_and_grad(model, lambda m: ((m(x) - y) ** 2).mean())
def train(steps=25):
    for _ in range(steps):
        loss, grads = gradients(model)
        optimizer.update(model, grads)
        mx.eval(model.parameters(), optimizer.state)
        value = loss.item()
    return value
train()
"""
UNTRAINED = PRELUDE.replace("\ntrain()\n", "\n")


class Ran(NamedTuple):
    """What came out of a program."""

    code: int
    out: str
    err: str


def own_environment(**changes: str) -> dict[str, str]:
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("PYTEST", "MLXPROBE", "COV_", "NO_COLOR"))}
    return kept | changes


def run(command: list[str], folder: Path, stdin: str = "", **changes: str) -> Ran:
    done = subprocess.run(
        command, cwd=folder, input=stdin, env=own_environment(**changes), capture_output=True, text=True,
        timeout=GUARD_S, check=False,
    )  # fmt: skip
    return Ran(done.returncode, done.stdout, done.stderr)


def watch(folder: Path, *words: str, stdin: str = "", **changes: str) -> Ran:
    return run([*MLXPROBE, "watch", *words], folder, stdin, **changes)


def start_s(folder: Path) -> float:
    """Return how long a healthy watched program takes here and now, all in all: no time that is up may be less."""
    (folder / "healthy.py").write_text(PRELUDE)
    began_s = time.monotonic()
    assert watch(folder, "healthy.py").code == 0
    return time.monotonic() - began_s


def report_of(folder: Path, *words: str, stdin: str = "", **changes: str) -> tuple[Ran, dict[str, Any]]:
    """Watch a program with the report in a file, and return the program's row too; the report's text is cut off."""
    file = folder.parent / f"{folder.name}-report.json"
    ran = watch(folder, "--format", "json", "--output", str(file), *words, stdin=stdin, **changes)
    assert file.is_file(), ran.err
    own, text = parted(ran.err, file, folder)
    assert text, ran.err
    return Ran(ran.code, ran.out, own), json.loads(file.read_text())["programs"][0]


def parted(err: str, file: Path, folder: Path) -> tuple[str, str]:
    """Part what the program wrote from the report's text, which follows it."""
    here = Path.cwd()
    os.chdir(folder)  # places are told as seen from there
    try:
        text = diagnosis.render(load(file))
    finally:
        os.chdir(here)
    own, told, _ = err.rpartition(text)
    return own, told


class Terminal:
    """A command in a pseudo-terminal; `told` is all that it has shown."""

    def __init__(self, command: list[str], folder: Path, columns: int = 80, rows: int = 24, **changes: str) -> None:
        self.told = ""
        environment = own_environment(TERM="xterm", **changes)
        self.pid, self.fd = pty.fork()
        if not self.pid:
            os.chdir(folder)
            os.execvpe(command[0], command, environment)
        self.code: int | None = None
        self.resize(columns, rows)

    def resize(self, columns: int, rows: int) -> None:
        fcntl.ioctl(self.fd, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def write(self, text: str) -> None:
        os.write(self.fd, text.encode())

    def until(self, pattern: str, start: int = 0, within_s: float = GUARD_S) -> re.Match[str]:
        deadline = time.monotonic() + within_s
        while not (found := re.search(pattern, self.told[start:])):
            assert time.monotonic() < deadline, f"no {pattern!r} in {self.told!r}"
            assert self._read(), f"it ended without {pattern!r}: {self.told!r}"
        return found

    def ends(self, within_s: float) -> bool:
        """Tell whether it ends soon."""
        deadline = time.monotonic() + within_s
        while time.monotonic() < deadline:
            if not self._read():
                return True
        return False

    def end(self) -> int:
        """Wait for the end, and return the exit code, less than 0 for a signal."""
        deadline = time.monotonic() + GUARD_S
        while self._read():
            assert time.monotonic() < deadline, self.told
        self.code = os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])
        return self.code

    def _read(self) -> bool:
        try:
            if select.select([self.fd], [], [], 0.1)[0]:
                more = os.read(self.fd, 65536)
                self.told += more.decode(errors="replace")
                return bool(more)
        except OSError:  # the other side is closed
            return False
        return True

    def __enter__(self) -> Terminal:
        return self

    def __exit__(self, *_: object) -> None:
        if self.code is None:
            os.killpg(self.pid, signal.SIGKILL)  # with the program, which would outlive who watches it
            os.waitpid(self.pid, 0)
        os.close(self.fd)
