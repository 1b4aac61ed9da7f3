"""Copies of the model that is trained: one that stays behind, and weights that go back to where they began."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from typing import Any

from mlxprobe.agent.graph import lazy_graph
from mlxprobe.agent.inspectors.updates.unchanged_parameters import MANY, NEVER_AGAIN, affordable
from mlxprobe.agent.introspection import call_site, isolated_import
from mlxprobe.agent.introspection.trees import is_vector
from mlxprobe.agent.recording.gradient_call import Call
from mlxprobe.agent.sampling.dispatcher import Inspection
from mlxprobe.agent.sampling.inspector import Inspector
from mlxprobe.agent.sampling.overhead_budget import is_landmark
from mlxprobe.agent.wire import bound
from mlxprobe.protocol.facts.updates import (
    CopyUnmoved,
    FollowerSlow,
    FollowerUnmoved,
    NeverTaught,
    SetToTheSame,
    WeightsBack,
)

MOST, VARIED = 4, 4  # models; values of a parameter that is no constant
SURE, LONG = 4, 100  # looks, and updates
FOLLOWER = re.compile(r"(?i)targ|tgt|ema\b|polyak|averag")  # what is there to follow another
SLOW, MANY_UPDATES = 0.2, 500
BACK = 0.1  # of the way that the weights have come


class Copies(Inspector):
    """Keep some elements of what a model begins with, and hold what others have, and what it ends with, beside them."""

    emits = (CopyUnmoved, FollowerSlow, FollowerUnmoved, NeverTaught, SetToTheSame, WeightsBack)
    builds_on = ("Passes",)

    def __init__(self, inspection: Inspection) -> None:
        super().__init__(inspection)
        self._first: dict[int, tuple[Any, list[float]]] = {}  # models, and what they began with
        self._last: dict[int, list[float]] = {}
        self._paths: dict[int, list[str]] = {}  # of the parameters that a model is known by
        self._held: tuple[Callable[[], Any], dict[str, Any]] | None = None  # a model at its first call, with those
        self._unmoved: dict[int, int] = {}  # looks at which another was as a model had begun
        self._values: dict[int, list[float]] = {}  # of another at the first look, and how many since had the same
        self._same: dict[int, int] = {}
        self._names: dict[int, str] = {}  # what the program calls those that stay behind
        self._set: dict[int, int] = {}  # how often each module was given parameters
        self._set_at: dict[int, tuple[int, Any]] = {}  # after how many updates that was last, and the module
        self._set_sites: dict[int, call_site.Site] = {}
        self._site = ("", 0)
        inspection.setting.append(self._setting)

    def _setting(self, module: Any) -> None:
        times = self._set[id(module)] = self._set.get(id(module), 0) + 1
        if is_landmark(times):
            self._set_sites[id(module)] = call_site.calling()
        self._set_at[id(module)] = self.inspection.recorder.updates, bound.ref(module)

    def called(self, call: Call) -> None:
        step, model = self.inspection.recorder.step + 1, call.model
        if model is None or not is_landmark(step):
            return
        self._site, key = call.site, id(model)
        if key in self._first:
            self._last[key] = self._read(model.parameters(), key) or self._last.get(key, [])
        elif key not in self._paths and len(self._paths) < MOST:
            named = sorted(lazy_graph.named_leaves(call.parameters), key=lambda pair: int(pair[1].size))
            small = affordable([(path, one) for path, one in named if one.size and not is_vector(one)][:MANY])
            known = {path.partition(".")[2]: one for path, one in small}  # without the argument's name
            self._paths[key], self._held = list(known), (bound.ref(model), known)

    def _read(self, parameters: Any, key: int) -> list[float]:
        """Return some elements of those that a model is known by, where they are evaluated and not all alike."""
        named = dict(lazy_graph.named_leaves(parameters))
        chosen = [named[path] for path in self._paths[key] if path in named]
        if not chosen or self.inspection.pending(chosen, copies=False):
            return []
        values = lazy_graph.numbers_each([lazy_graph.sample(one) for one in chosen])
        return [value for one in values for value in one] if any(len(set(one)) > VARIED for one in values) else []

    def forget(self) -> None:
        self._held = None

    def look(self, step: int) -> None:
        held = self._held
        self.forget()
        model = held[0]() if held is not None else None
        if held is not None and model is not None and (values := self._read(held[1], id(model))):
            self._first[id(model)] = held[0], values
        if not is_landmark(step):
            return
        for key, known in self.inspection.recorder.beside.items():
            other = known()
            alike = [one for one, (model, _) in self._first.items() if type(model()) is type(other)]
            if other is not None and alike and lazy_graph.leaves(other.trainable_parameters()):
                read = [self._read(other.parameters(), one) for one in alike]
                same = any(now == self._first[one][1] for now, one in zip(read, alike, strict=True))
                self._unmoved[key] = self._unmoved.get(key, 0) + 1 if same else NEVER_AGAIN
                self._names[key] = self._name(other) if self._unmoved[key] == SURE else self._names.get(key, "")
                same = bool(read[0]) and read[0] == self._values.setdefault(key, read[0])
                self._same[key] = self._same.get(key, 0) + 1 if same else NEVER_AGAIN

    def finish(self) -> None:
        recorder = self.inspection.recorder
        if recorder.updates < LONG:
            return
        moved = any(values != self._first[key][1] for key, values in self._last.items() if key in self._first)
        unmoved = [self._names[key] for key, looks in self._unmoved.items() if looks >= SURE and moved]
        if unmoved:
            name = next(filter(FOLLOWER.search, unmoved), "")
            kind = FollowerUnmoved if name else CopyUnmoved
            recorder.fact(kind(called=name, updates=recorder.updates), self._site)
        for key in [key for key, looks in self._same.items() if moved and looks >= SURE]:
            self._tell_of_same(key)
        for key, (model, first) in self._first.items():
            last, end = self._last.get(key, []), self._read(model().parameters(), key) if model() is not None else []
            if len(last) == len(end) == len(first) and 0 <= math.dist(end, first) < BACK * math.dist(last, first):
                way = math.dist(end, first) / math.dist(last, first)
                recorder.fact(WeightsBack(way=way, updates=recorder.updates), self._site)
        self._tell_of_slow()

    def _tell_of_slow(self) -> None:
        """Tell of another that was given weights to the end, and is nearer to where the trained one began than to it.

        The last of the copies that are made when a model is at its best may be old; of such, the time is too.
        """
        recorder = self.inspection.recorder
        for key, (updates, known) in self._set_at.items() if recorder.updates >= MANY_UPDATES else ():
            late = key not in self._first and self._set[key] > 1 and 3 * updates >= 2 * recorder.updates
            for one, (model, first) in self._first.items() if late and known() is not None else ():
                if model() is not None and type(model()) is type(known()):
                    mine, end = self._read(known().parameters(), one), self._read(model().parameters(), one)
                    alike = len(mine) == len(end) == len(first)
                    way = math.dist(mine, first) / (math.dist(end, first) or math.inf) if alike else 0.0
                    if 0 < way < SLOW:
                        recorder.fact(FollowerSlow(way=way, updates=recorder.updates), self._set_sites[key])

    @staticmethod
    def _name(model: Any) -> str:
        with isolated_import.importable():
            from mlxprobe.agent.recording import source_arrays
        return source_arrays.name_of(model)

    def _tell_of_same(self, key: int) -> None:
        """Tell of another that has kept its numbers: each time that it was given some, or since it was made."""
        recorder, times = self.inspection.recorder, self._set.get(key, 0)
        if times >= LONG and key in recorder.set_sites:
            recorder.fact(SetToTheSame(times=times), recorder.set_sites[key])
        elif not times and key not in recorder.loaded_into and self._unmoved[key] < 0:
            recorder.fact(NeverTaught(updates=recorder.updates), self._site)
