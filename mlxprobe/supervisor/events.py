"""What the agent told, line by line, collected for the Observation."""

from __future__ import annotations

import math
from collections import Counter
from typing import Any

import msgspec

from mlxprobe.agent.roots import Roots
from mlxprobe.supervisor.thin import thin
from mlxprobe.values.observation import Fact, MlxSample, Raised, Reading, Step
from mlxprobe.values.sheet import Sheet
from mlxprobe.values.vocabulary import Whose

NONSENSE_IS_SURE = 100  # lines; no more of them is read then, for they may come without end
FROM_FORKS = {"ready", "fact"}


class EventLog:
    """Take in event lines; times become seconds since the start. A line that makes no sense is counted."""

    def __init__(self, started_s: float) -> None:
        self.started_s = started_s
        self.mlx = self.device = self.python = self.executable = ""
        self.begun_s = self.finished_s = 0.0
        self.begun = self.running = self.finished = False
        self.progress_s = 0.0
        self.step = 0
        self.garbled = 0
        self.pids: list[int] = []
        self.own_threads: set[str] = set()  # the agent's
        self.roots = Roots()
        self.raised: Raised | None = None
        self.score: float | None = None
        self.steps: list[Step] = []
        self.losses: list[Reading] = []
        self.memory: list[MlxSample] = []
        self.facts: list[Fact] = []
        self.sheet: dict[str, Any] = {}
        self.result: dict[str, tuple[float, ...]] = {}
        self.device_bytes = 0  # the GPU's memory
        self.enough = False  # steps were seen
        self.forks_steps: Counter[int] = Counter()  # by process

    def feed(self, lines: bytes) -> bool:
        """Take in complete lines; return whether they show progress of the program."""
        moved = False
        for line in lines.splitlines():
            if self.garbled >= NONSENSE_IS_SURE:
                break
            try:
                moved |= self._take(msgspec.json.decode(line))
            except (msgspec.DecodeError, msgspec.ValidationError, KeyError, TypeError, ValueError, AttributeError):
                self.garbled += 1
        return moved

    def _take(self, event: dict[str, Any]) -> bool:
        t_s = float(event["t"]) - self.started_s
        take = getattr(self, "_on_" + event["e"])
        if "pid" not in event or event["e"] in FROM_FORKS:  # a forked worker's own steps and end are not the program's
            take(event, t_s)
        elif event["e"] == "steps":
            self.forks_steps[int(event["pid"])] += len(event["rows"])
        if event["e"] == "memory":
            return False
        self.progress_s = max(self.progress_s, t_s)
        return True

    def _on_ready(self, event: dict[str, Any], t_s: float) -> None:
        self.pids.append(int(event["pid"]))

    def _on_thread(self, event: dict[str, Any], t_s: float) -> None:
        self.own_threads.add(str(int(event["id"])))

    def _on_root(self, event: dict[str, Any], t_s: float) -> None:
        self.roots.add(str(event["folder"]), Whose(event["whose"]))

    def _on_mlx(self, event: dict[str, Any], t_s: float) -> None:
        self.mlx, self.device = str(event["version"]), str(event["device"])
        self.device_bytes = int(event.get("holds", 0))
        self.python, self.executable = str(event.get("python", "")), str(event.get("executable", ""))

    def _on_begin(self, event: dict[str, Any], t_s: float) -> None:
        self.begun, self.begun_s = True, t_s

    def _on_body(self, event: dict[str, Any], t_s: float) -> None:
        self.running, self.begun_s = True, t_s

    def _on_enough(self, event: dict[str, Any], t_s: float) -> None:
        self.enough = True

    def _on_tick(self, event: dict[str, Any], t_s: float) -> None:
        self.step = int(event["n"])

    def _on_steps(self, event: dict[str, Any], t_s: float) -> None:
        """Take in rows: number, tenths of microseconds, gradient calls, bytes, what a look saw; `t` is the last's."""
        self._on_losses(event, t_s)
        steps: list[Step] = []
        for n, tenths, gradients, active, *seen in reversed(event["rows"]):
            pending, gradient = seen or (None, None)
            steps.append(
                Step(
                    n=int(n),
                    t_s=t_s,
                    step_s=tenths / 1e7,
                    gradients=int(gradients),
                    pending=pending,
                    active_bytes=int(active),
                    gradient=None if gradient is None else float(gradient),
                )
            )
            t_s -= tenths / 1e7
        self.steps += reversed(steps)
        self.step = max(self.step, steps[0].n) if steps else self.step
        thin(self.steps, lambda one: (one.pending is not None, one.gradient is not None, one.step_s))

    def _on_losses(self, event: dict[str, Any], t_s: float) -> None:
        self.losses += [
            Reading(step=int(step), value=float(value), stream=int(stream)) for step, value, stream in event["losses"]
        ]
        thin(self.losses, lambda one: not math.isfinite(one.value))

    def _on_memory(self, event: dict[str, Any], t_s: float) -> None:
        self.memory.append(
            MlxSample(
                t_s=t_s,
                active_bytes=int(event["active"]),
                cache_bytes=int(event["cache"]),
                peak_bytes=int(event["peak"]),
            )
        )
        thin(self.memory, lambda one: one.active_bytes)

    def _on_fact(self, event: dict[str, Any], t_s: float) -> None:
        fields = ("name", "step", "file", "line", "source", "caller", "count", "detail")
        told = {"t_s": t_s, **{field: event[field] for field in fields}}
        self.facts.append(msgspec.convert(told, Fact))

    def _on_sheet(self, event: dict[str, Any], t_s: float) -> None:
        """Take in some fields of the sheet; each comes anew as it grows."""
        msgspec.convert(event["values"], Sheet, strict=False)
        self.sheet |= event["values"]

    def _on_raised(self, event: dict[str, Any], t_s: float) -> None:
        fields = ("type", "message", "file", "line", "caller", "traceback")
        self.raised = msgspec.convert({field: event[field] for field in fields}, Raised)

    def _on_measuring(self, event: dict[str, Any], t_s: float) -> None:
        self.finished_s = t_s

    def _on_result(self, event: dict[str, Any], t_s: float) -> None:
        self.result[str(event["path"])] = tuple(float(value) for value in event["values"])

    def _on_score(self, event: dict[str, Any], t_s: float) -> None:
        self.score = float(event["value"])

    def _on_end(self, event: dict[str, Any], t_s: float) -> None:
        self.finished = True
        self.finished_s = self.finished_s or t_s

    def _on_dropped(self, event: dict[str, Any], t_s: float) -> None:
        self.facts.append(Fact(name="event dropped", t_s=t_s, detail={"event": str(event["event"])}))
