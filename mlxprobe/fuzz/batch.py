"""Run batches of cases, each in a watched process; what a process takes down with itself is run again without it."""

from __future__ import annotations

import json
import math
import signal
import threading
import zlib
from collections.abc import Mapping, Sequence
from concurrent.futures import CancelledError, ThreadPoolExecutor
from typing import Any

from mlxprobe.cluster.executor import Place
from mlxprobe.fuzz.array_values import contents
from mlxprobe.fuzz.case import Case
from mlxprobe.fuzz.child.array_codec import packed
from mlxprobe.fuzz.jax_oracle import JAX
from mlxprobe.fuzz.operations import OPERATIONS
from mlxprobe.fuzz.reference import moving
from mlxprobe.fuzz.training_programs.render import keywords
from mlxprobe.schema.observation import Environment, Limits, Observation, Program
from mlxprobe.settings.machine_limits import memory_limit
from mlxprobe.settings.table import Settings
from mlxprobe.supervisor.scratch import Scratch
from mlxprobe.supervisor.watch import observe

Seen = dict[str, Any]
SIZE = 25  # programs, at most: starting a process takes as long as some dozens of cases
TOGETHER, WORTH = 150, 10  # small cases in one process, at most, and for which it is worth one
COMPILED = 6
SHARES = {"eager": 1, "compiled": 1, "vmap": 3, "derivative": 4}  # one case in so many is asked for leaks
DERIVED = ("derivative", "wide")
NEEDED = {  # modes besides `value`, by oracle and by the mode in which a process ended
    **dict.fromkeys(("value", "other side", "mode value"), ()),
    **{f"mode {name}": (name,) for name in ("copy", "compiled", "vmap", "loop", "grows")},
    "copy": ("copy",),
    "compiled": ("compiled",),
    "vmap": ("vmap", "loop"),
    "memory": ("grows",),
    "float64": ("wide",),
    **dict.fromkeys((JAX, "forward mode", "reverse mode", "forward against reverse"), DERIVED),
    **dict.fromkeys(("mode forward", "mode reverse"), DERIVED),
}
LARGE = 4000  # elements: with these a case is slow enough without hundreds of calls
STALL_S = 10.0  # for one case, compilers not counted: all its modes take some milliseconds
GPU_STALL_S = 60.0  # kernels are compiled inside its process, and the CPU's arrays are the driver's too
STARTUP_S = 60.0
TIMEOUT_S = 1800.0  # a batch tells of its progress; this is for what tells it without end
EXACT = {"MLX_ENABLE_TF32": "0"}  # GPUs multiply float32 with the precision of float16 by themselves
FATES = {"stalled": "hang", "timeout": "hang", "memory": "memory limit"}


class Batches:
    """Run cases in one environment; `name` tells it from the others, its release's where it is empty."""

    def __init__(self, environment: Environment, place: Place, name: str = "") -> None:
        self.environment = environment
        self.name = name or environment.mlx
        self.place = place
        self.stop = place.stop
        self.died = 0
        self.unrepeated: list[str] = []
        self.public: tuple[str, ...] = ()

    def run(self, cases: Sequence[Case], asked: Mapping[str, str] = {}) -> dict[str, Seen]:
        """Return what was seen of each case, by ID; where its process ended first, {"fate": ..., "word": ...}.

        Args:
            cases: what is run, one after the other.
            asked: the oracles that are asked, by ID; all by default.
        """
        found, fate = self._once(cases, asked)
        left = [one for one in cases if one.id not in found]
        if not left or self.stop.is_set():
            return found
        self.died += 1
        if len(cases) == 1:
            return {cases[0].id: fate}
        culprit, *others = left  # what began last; nothing after it was begun
        if fate["fate"] == "hang":  # to run it again takes as long again, and what is shown is repeated anyway
            return found | {culprit.id: fate} | (self.run(others, asked) if others else {})
        alone = self.run([culprit], asked)
        if "fate" not in alone.get(culprit.id, {"fate": ""}):
            before = self._halved([one for one in cases if one.id in found], culprit)
            if before:
                alone[culprit.id]["beside"] = fate | {"with": [one.id for one in before]}
            else:
                self.unrepeated.append(f"{culprit.id}: {fate['word']}")
        return found | alone | (self.run(others, asked) if others else {})

    def spread(self, cases: Sequence[Case], asked: Mapping[str, str]) -> dict[str, Seen]:
        """Run cases as `run` does, in a process for each worker that has enough to do."""
        size = min(TOGETHER, max(WORTH, -(-len(cases) // self.place.width)))
        parts = [cases[begin : begin + size] for begin in range(0, len(cases), size)]
        with ThreadPoolExecutor(self.place.width) as pool:
            return {
                name: seen
                for each in pool.map(lambda part: self.run(part, asked), parts)
                for name, seen in each.items()
            }

    def first_end(self, cases: Sequence[Case], asked: Mapping[str, str]) -> dict[str, Seen]:
        """Return the fate of the first case that ends its process, alone too, by its ID; nothing where none does."""
        found, _ = self._once(cases, asked)
        culprit = next((one for one in cases if one.id not in found), None)
        if culprit is None or self.stop.is_set():
            return {}
        alone, fate = self._once([culprit], asked)
        return {} if culprit.id in alone else {culprit.id: fate}

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

    def _once(self, cases: Sequence[Case], asked: Mapping[str, str] = {}) -> tuple[dict[str, Seen], Seen]:
        jobs = json.dumps([job(one, asked.get(one.id, "")) for one in cases if not self.stop.is_set()])
        if self.stop.is_set():
            return {}, {}
        try:
            told, fate = self.place.submit(run, jobs, self.environment, self.place.settings, self.stop).result()
        except CancelledError:
            return {}, {}
        rows = [row for line in told.splitlines() if (row := _read(line))]
        self.public = next((tuple(row["public"]) for row in rows if "public" in row), self.public)
        found = {row["id"]: row["seen"] for row in rows if "id" in row}
        return found, fate | {"mode": rows[-1].get("mode", "") if rows else ""}


def run(jobs: str, environment: Environment, settings: Settings, stop: threading.Event) -> tuple[str, Seen]:
    """Run a batch in a watched process of its own; return what it has told, and its fate."""
    with Scratch() as folder:
        given, told = folder / "cases.json", folder / "told.jsonl"
        given.write_text(jobs, encoding="utf-8")
        words = ("bare", "mlxprobe.fuzz.child.main", str(given), str(told))
        python, device = environment.executable, environment.device
        program = Program(name="fuzz", argv=words, python=python, device=device, env=EXACT)
        seen = observe(program, limits(settings, environment), jit_key=f"mlx-{environment.mlx}", stop=stop)
        return told.read_text(encoding="utf-8") if told.exists() else "", fate_of(seen)


def limits(settings: Settings, environment: Environment) -> Limits:
    """Return where a batch is ended."""
    return Limits(
        stall_s=settings.stall_s or (GPU_STALL_S if "gpu" in environment.devices else STALL_S),
        startup_s=STARTUP_S,
        timeout_s=settings.timeout_s or TIMEOUT_S,
        memory_bytes=memory_limit(settings.memory),
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


def job(case: Case, oracle: str = "") -> Seen:
    """Put a case into the words of the process that runs it, with all modes or those that one oracle asks."""
    arrays, others, free = [], [], moving(case)
    for k, one in enumerate(case.arrays):
        row = {"dtype": one.dtype, "shape": one.shape, "layout": one.layout, "smooth": k in free}
        arrays.append({**row, "values": packed(contents(one), one.dtype)})
        others.append(packed(contents(one, 1), one.dtype))
    steps = [{"function": one.function, "arguments": one.arguments, "keywords": keywords(one)} for one in case.steps]
    told = {"id": case.id, "arrays": arrays, "others": others, "steps": steps, "axes": case.axes}
    there = [name for name in modes(case) if oracle not in NEEDED or name in ("value", *NEEDED[oracle])]
    return {**told, "modes": there, "grows": ways(case)}


def modes(case: Case) -> list[str]:
    """List the modes in which a case is run."""
    operation = OPERATIONS[case.operation]
    found = ["value", "grows", *(["compiled"] if compiles(case) else [])]
    found += ["copy"] if any(one.layout != "plain" for one in case.arrays) else []
    found += ["vmap", "loop"] if case.arrays else []
    smooth = operation.smooth and any(one.is_smooth for one in case.arrays)
    found += ["derivative", "wide"] if smooth and not any(one.special for one in case.arrays) else []
    return [
        name for name in found if name not in operation.without and not (name == "loop" and "vmap" in operation.without)
    ]


def ways(case: Case) -> list[str]:
    """List the ways of calling of which it is asked whether they leave memory behind; each is some hundred calls."""
    if case.light:
        return []
    there, large = modes(case), sum(math.prod(one.shape) for one in case.arrays) > LARGE
    known = {"eager": True, "compiled": "compiled" in there, "vmap": "vmap" in there, "derivative": "wide" in there}
    return [name for name, share in SHARES.items() if known[name] and not large and is_chosen(case, share)]


def compiles(case: Case) -> bool:
    """Return whether a case is compiled too.

    One in six is, for most need a C++ compiler for half a second, and all that return several arrays.
    """
    return not case.light and (OPERATIONS[case.operation].several or is_chosen(case, COMPILED))


def is_chosen(case: Case, share: int) -> bool:
    """Choose one case in so many, always the same ones, and what is made smaller."""
    return "/" in case.id or zlib.crc32(case.id.encode()) % share == 0
