"""The events that a process has sent, line by line, collected for the Observation."""

from __future__ import annotations

import itertools
import math
from collections import Counter
from typing import Any

import msgspec

from mlxprobe.agent.introspection.code_ownership import Roots
from mlxprobe.agent.wire.constants import COLLECTIVE, COLLECTIVE_FLAGS
from mlxprobe.protocol.fact import Fact, MalformedFactError, decoded
from mlxprobe.protocol.facts.gradients import FirstGradient
from mlxprobe.schema.enums import Whose
from mlxprobe.schema.observation import (
    Collective,
    MlxSample,
    Process,
    Raised,
    Reading,
    Sample,
    Sighting,
    Step,
)
from mlxprobe.schema.run_summary import Sheet
from mlxprobe.schema.texts import masked
from mlxprobe.supervisor.downsample import thin
from mlxprobe.supervisor.flight_recorder import later

NO_SENSE = (msgspec.ValidationError, KeyError, TypeError, ValueError, AttributeError, OverflowError)
SHOWN_CHARACTERS = 60
NO_PROGRESS = {"memory", "collectives", "site", "kind", "seen", "held"}  # they come of themselves, or because we asked
MOST_COLLECTIVES = 2000
MOST_TRACED = 100
MOST_FACTS = 10_000
MOST_LOST = 100  # kinds and names
MOST_FORKS = 1000  # those that live are among the last


class EventReader:
    """Take in event lines. Those that make no sense are counted, and the first one is kept."""

    def __init__(self) -> None:
        self.garbled = 0
        self.nonsense = ""

    def feed(self, lines: bytes) -> bool:
        """Take in complete lines; return whether they show progress of the program."""
        moved = False
        for line in lines.splitlines():
            try:
                moved |= line.startswith(b"{") and self.take(msgspec.json.decode(line))
                makes_sense = line.startswith(b"{")
            except (msgspec.DecodeError, *NO_SENSE):
                makes_sense = False
            if not makes_sense:
                self.garbled += 1
                self.nonsense = self.nonsense or repr(line[:SHOWN_CHARACTERS].decode(errors="replace"))
        return moved

    def take(self, event: dict[str, Any]) -> bool:
        """Take in one event; return whether it is progress."""
        raise NotImplementedError


class EventLog(EventReader):
    """The events of one process; times become seconds since the start."""

    def __init__(self, started_s: float, roots: Roots | None = None) -> None:
        super().__init__()
        self.started_s = started_s
        self.process = Process(pid=0)
        self.introduced = False
        self.joined = self.trains = False  # a group of ranks; it has computed gradients
        self.left = False  # past Python's own ending
        self.status: int | None = None  # its exit code, where it reported one
        self.asked: int | None = None  # the one that it was about to leave with
        self.mlx = self.device = self.python = self.executable = ""
        self.begun_s = self.finished_s = 0.0
        self.begun = self.running = self.finished = False
        self.progress_s = 0.0
        self.step = 0
        self.pids: list[int] = []
        self.own_threads: set[str] = set()  # the agent's
        self.carriers: set[str] = set()  # threads that carry messages between ranks
        self.roots = roots or Roots()
        self.raised: Raised | None = None
        self.score: float | None = None
        self.steps: list[Step] = []
        self.losses: list[Reading] = []
        self.memory: list[MlxSample] = []
        self.held: Sample | None = None  # its peak, reported at its end: a short process may not be sampled
        self.sightings: list[Sighting[Fact]] = []
        self.lost: Counter[str] = Counter()  # events, by kind and name
        self.sheet: dict[str, Any] = {}
        self.result: dict[str, tuple[float, ...]] = {}
        self.device_bytes = 0  # the GPU's memory
        self.enough = False  # steps were seen
        self.sites: dict[int, Any] = {}
        self.kinds: dict[int, Any] = {}  # of collectives
        self.evaluating_s: float | None = None  # since when
        self.built: dict[str, int] = {}  # collectives and messages, by group, as reported so far
        self._heard_s = -math.inf  # of collectives
        self._collectives: dict[tuple[str, int], Collective] = {}
        self._traced: dict[tuple[str, int], Collective] = {}  # the older ones

    @property
    def collectives(self) -> tuple[Collective, ...]:
        """The last collectives that it has built, in their order."""
        return tuple(sorted((*self._traced.values(), *self._collectives.values()), key=lambda one: one.built_s))

    @property
    def awaited(self) -> Collective | None:
        """The first collective that the current evaluation may hold; the last reported are last."""
        open_ = itertools.takewhile(lambda one: one.done_s is None, reversed(self._collectives.values()))
        return min((one for one in open_ if one.begun_s is not None), key=lambda one: one.built_s, default=None)

    def take(self, event: dict[str, Any]) -> bool:
        t_s = float(event["t"]) - self.started_s
        getattr(self, "_on_" + event["e"])(event, t_s)
        if event["e"] in NO_PROGRESS:
            return False
        self.progress_s = max(self.progress_s, t_s)
        return True

    def _on_process(self, event: dict[str, Any], t_s: float) -> None:
        fields = ("pid", "parent", "rank", "size", "command")
        told = msgspec.convert({field: event[field] for field in fields}, Process)
        self.process = msgspec.structs.replace(told, command=masked(told.command))
        self.introduced = True

    def _on_rank(self, event: dict[str, Any], t_s: float) -> None:
        self.joined = True
        self.process = msgspec.structs.replace(self.process, rank=int(event["rank"]), size=int(event["size"]))

    def _on_left(self, event: dict[str, Any], t_s: float) -> None:
        self.left, self.status = True, event["code"] if event["code"] is None else int(event["code"])

    def _on_site(self, event: dict[str, Any], t_s: float) -> None:
        told = {name: event[name] for name in ("file", "line", "source", "caller")}
        self.sites[int(event["i"])] = told | {"way": str(event.get("way", ""))}

    def _on_kind(self, event: dict[str, Any], t_s: float) -> None:
        told = {name: event[name] for name in ("group", "operation", "shape", "dtype", "peer")}
        self.kinds[int(event["i"])] = told | self.sites.get(int(event["site"]), {})

    def _on_collectives(self, event: dict[str, Any], t_s: float) -> None:
        """Take in rows, each as it is now; their moments are microseconds before `t`."""
        if t_s >= self._heard_s:  # two threads report, and the earlier event may come last
            self._heard_s, self.evaluating_s = t_s, _ago(event["evaluating"], t_s)
        for group, count in msgspec.convert(event.get("counts", {}), dict[str, int]).items():
            self.built[group] = max(count, self.built.get(group, 0))
        for row in event["rows"]:
            told = dict(zip(COLLECTIVE, row, strict=True))
            told |= {name: _ago(told[name], t_s) for name in ("built_s", "begun_s", "done_s")}
            told |= {name: bool(told[name]) for name in COLLECTIVE_FLAGS}
            one = msgspec.convert(told | self.sites.get(told.pop("site"), {}), Collective)
            self._collectives[one.group, one.n] = later(self._collectives.pop((one.group, one.n), one), one)
        while len(self._collectives) > MOST_COLLECTIVES:
            first = self._collectives.pop(next(iter(self._collectives)))
            if first.traced and len(self._traced) < MOST_TRACED:  # else the uncounted ones would be unknown
                self._traced[first.group, first.n] = first

    def _on_ready(self, event: dict[str, Any], t_s: float) -> None:
        self.pids.append(int(event["pid"]))
        del self.pids[:-MOST_FORKS]

    def _on_thread(self, event: dict[str, Any], t_s: float) -> None:
        self.own_threads.add(str(int(event["id"])))

    def _on_carriers(self, event: dict[str, Any], t_s: float) -> None:
        self.carriers |= {str(int(one)) for one in event["ids"]}

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
        self.left = False  # it could not be replaced
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

    def _on_held(self, event: dict[str, Any], t_s: float) -> None:
        self.held = Sample(t_s=t_s, rss_bytes=int(event["bytes"]), cpu_s=float(event["cpu_s"]))

    def _on_fact(self, event: dict[str, Any], t_s: float) -> None:
        """Take in a fact; one that is unknown or malformed is counted by its name, and costs nothing else."""
        try:
            fact = decoded(str(event["type"]), event["fields"])
        except MalformedFactError:
            return self.lose("fact", event["type"])
        fields = ("step", "file", "line", "source", "caller", "count")
        told = {"fact": fact, "t_s": t_s, **{field: event[field] for field in fields}}
        self.trains |= isinstance(fact, FirstGradient)
        self.sightings.append(msgspec.convert(told, Sighting[Fact]))
        thin(self.sightings, lambda one: one.count, MOST_FACTS)
        return None

    _on_seen = _on_fact

    def _on_sheet(self, event: dict[str, Any], t_s: float) -> None:
        """Take in some fields of the run summary; each is sent again as it grows."""
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
        self.asked = None if event.get("code") is None else int(event["code"])
        self.finished_s = self.finished_s or t_s

    def _on_dropped(self, event: dict[str, Any], t_s: float) -> None:
        self.lose(event["event"], event.get("type", ""))

    def lose(self, event: object, name: object = "") -> None:
        """Count an event that did not arrive, or cannot be read, by its kind and its name."""
        lost = f"{event} {name}".strip()
        if lost in self.lost or len(self.lost) < MOST_LOST:
            self.lost[lost] += 1


def _ago(microseconds: int | None, t_s: float) -> float | None:
    return None if microseconds is None else round(t_s - microseconds / 1e6, 6)
