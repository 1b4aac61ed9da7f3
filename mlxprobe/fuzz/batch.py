"""Run batches of cases, each in a watched process; what a process takes down with itself is run again without it."""

from __future__ import annotations

import json
import signal
import tempfile
import threading
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from mlxprobe.fuzz.case import Case
from mlxprobe.fuzz.contents import contents
from mlxprobe.fuzz.operations import OPERATIONS
from mlxprobe.settings.machine import memory_limit
from mlxprobe.settings.table import Settings
from mlxprobe.supervisor.watch import observe
from mlxprobe.values.observation import Environment, Limits, Observation, Program

Seen = dict[str, Any]
SIZE = 40
STALL_S = 60.0  # for one case, compilers not counted: all its modes take some milliseconds
STARTUP_S = 60.0
TIMEOUT_S = 1800.0  # a batch tells of its progress; this is for what tells it without end
FATES = {"stalled": "hang", "timeout": "hang", "memory": "memory"}


class Batches:
    """Run cases in one environment."""

    def __init__(self, environment: Environment, settings: Settings, stop: threading.Event | None = None) -> None:
        self.environment = environment
        self.stop = stop or threading.Event()
        self._settings = settings
        self.died = 0
        self.unrepeated: list[str] = []
        self.public: tuple[str, ...] = ()

    def run(self, cases: Sequence[Case]) -> dict[str, Seen]:
        """Return what was seen of each case, by ID; where its process ended first, {"fate": ..., "word": ...}."""
        found, fate = self._once(cases)
        left = [one for one in cases if one.id not in found]
        if not left or self.stop.is_set():
            return found
        self.died += 1
        if len(cases) == 1:
            return {cases[0].id: fate}
        culprit, *others = left  # what began last; nothing after it was begun
        alone = self.run([culprit])
        if "fate" not in alone.get(culprit.id, {"fate": ""}):
            before = self._halved([one for one in cases if one.id in found], culprit)
            if before:
                alone[culprit.id]["beside"] = fate | {"with": [one.id for one in before]}
            else:
                self.unrepeated.append(f"{culprit.id}: {fate['word']}")
        return found | alone | (self.run(others) if others else {})

    def _halved(self, before: Sequence[Case], culprit: Case) -> Sequence[Case]:
        """Return the fewest of the cases before it, found by halving, after which a case takes its process down.

        None where it does not do so again: what cannot be repeated is no finding.
        """
        if not before or not self._dies(before, culprit):
            return []
        while len(before) > 1 and not self.stop.is_set():
            middle = len(before) // 2
            for part in (before[middle:], before[:middle]):
                if self._dies(part, culprit):
                    before = part
                    break
            else:
                break
        return before

    def _dies(self, before: Sequence[Case], culprit: Case) -> bool:
        return culprit.id not in self._once([*before, culprit])[0]

    def _once(self, cases: Sequence[Case]) -> tuple[dict[str, Seen], Seen]:
        with tempfile.TemporaryDirectory(prefix="mlxprobe-fuzz-") as folder:
            given, told = Path(folder) / "cases.json", Path(folder) / "told.jsonl"
            given.write_text(json.dumps([job(one) for one in cases]), encoding="utf-8")
            words = ("bare", "mlxprobe.fuzz.inside.main", str(given), str(told))
            program = Program(name="fuzz", argv=words, python=self.environment.executable, device=self._settings.device)
            seen = observe(program, self._limits(), jit_key=f"mlx-{self.environment.mlx}", stop=self.stop)
            lines = told.read_text(encoding="utf-8").splitlines() if told.exists() else []
        rows = [row for line in lines if (row := _read(line))]
        self.public = next((tuple(row["public"]) for row in rows if "public" in row), self.public)
        return {row["id"]: row["seen"] for row in rows if "id" in row}, fate_of(seen)

    def _limits(self) -> Limits:
        return Limits(
            stall_s=self._settings.stall_s or STALL_S,
            startup_s=STARTUP_S,
            timeout_s=self._settings.timeout_s or TIMEOUT_S,
            memory_bytes=memory_limit(self._settings.memory),
        )


def _read(line: str) -> Seen:
    try:
        found = json.loads(line)
    except ValueError:  # the process was ended while it wrote
        return {}
    return found if isinstance(found, dict) else {}


def fate_of(seen: Observation) -> Seen:
    """Say what became of a process that did not tell of all its cases."""
    if seen.ended in FATES:
        return {"fate": FATES[seen.ended], "word": f"no end after {seen.wall_s:.0f} s"}
    code = seen.exit_code or 0
    if code < 0:
        return {"fate": "crash", "word": signal.Signals(-code).name}
    last = seen.output_tail.strip().rpartition("\n")[2]
    return {"fate": "error", "word": last[:200] or f"exit code {code}"}


def job(case: Case) -> Seen:
    """Put a case into the words of the process that runs it."""
    operation = OPERATIONS[case.operation]
    arrays, others = [], []
    for k, one in enumerate(case.arrays):
        smooth = operation.smooth if isinstance(operation.smooth, bool) else k in operation.smooth
        row = {"dtype": one.dtype, "shape": one.shape, "layout": one.layout, "smooth": smooth and not one.special}
        arrays.append({**row, "values": flat(contents(one))})
        others.append(flat(contents(one, 1)))
    steps = [{"function": one.function, "arguments": one.arguments, "keywords": one.keywords} for one in case.steps]
    return {"id": case.id, "arrays": arrays, "others": others, "steps": steps, "axes": case.axes, "modes": modes(case)}


def modes(case: Case) -> list[str]:
    """List the modes in which a case is run."""
    operation = OPERATIONS[case.operation]
    found = ["value", "grows", *(["compiled"] if compiles(case) else [])]
    found += ["copy"] if any(one.layout != "plain" for one in case.arrays) else []
    found += ["vmap", "loop"] if case.arrays else []
    smooth = operation.smooth and any(one.is_float for one in case.arrays)
    found += ["derivative", "wide"] if smooth and not any(one.special for one in case.arrays) else []
    return [
        name for name in found if name not in operation.without and not (name == "loop" and "vmap" in operation.without)
    ]


def compiles(case: Case) -> bool:
    """Tell whether a case is compiled too: each composition needs a compiler for seconds, so one in four is."""
    return len(case.steps) == 1 or "/" in case.id or zlib.crc32(case.id.encode()) % 4 == 0


def flat(values: Any) -> list[Any]:
    """Return numbers in a row; a complex one is two."""
    if values.dtype.kind == "c":
        values = np.stack([values.real, values.imag], -1)
    found: list[Any] = values.reshape(-1).tolist()
    return found
