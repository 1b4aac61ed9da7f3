"""Optimizers that are made anew while their model goes on: what the last one knew of the gradients is lost."""

from __future__ import annotations

import math
from collections.abc import Callable
from types import FrameType
from typing import Any

from mlxprobe.agent.graph import lazy_graph
from mlxprobe.agent.intercept.events import CallEvent
from mlxprobe.agent.intercept.intercepts import Observe
from mlxprobe.agent.introspection import call_site
from mlxprobe.agent.introspection.code_ownership import AGENT
from mlxprobe.agent.patching import static
from mlxprobe.agent.sampling.dispatcher import Inspection
from mlxprobe.agent.sampling.inspector import Inspector
from mlxprobe.agent.wire import bound
from mlxprobe.protocol.facts.updates import AnotherTraining, OptimizerRenewed, ScheduleRestarted

IS_SURE, SOONER = 3, 2  # renewals; of optimizers whose schedule each of them cuts short
ROUND = 10  # updates of one model, before another has its turn
CUT = 0.9  # of a schedule: whoever comes to its end restarts it on purpose


class Trained:
    """A model, what its last optimizer was like, and how often one like it has followed another."""

    def __init__(self, model: Callable[[], Any], like: tuple[Any, ...], since: int) -> None:
        self.model = model
        self.like = like
        self.since = since  # updates of the run
        self.until: int | None = None  # when another model got a new optimizer, if one did
        self.renewals = 0
        self.shortest = 0  # updates of an optimizer that was followed
        self._parts: list[Callable[[], Any]] = []
        self.is_rebuilt()

    def is_rebuilt(self) -> bool:
        """Tell whether any of its modules is another than when this was last asked: what is new has nothing to lose."""
        before, now = self._parts, [module for _, module in self.model().named_modules()]
        self._parts = [bound.ref(one) for one in now]
        return len(before) != len(now) or any(known() is not one for known, one in zip(before, now, strict=True))

    def made(self, updates: int) -> int:
        """Return how many updates an optimizer has made, as far as is known."""
        return (updates if self.until is None else self.until) - self.since


class Renewals(Inspector):
    """Compare each new optimizer with the one before it: its kind, its rate, its line, and what it is to train."""

    emits = (AnotherTraining, OptimizerRenewed, ScheduleRestarted)
    observes = (
        Observe("mlx.optimizers.optimizers.Optimizer.__init__", "_made", after=True),
        Observe("mlx.nn.layers.base.Module.load_weights", "_loads"),
    )
    builds_on = ("Rates",)

    def __init__(self, inspection: Inspection) -> None:
        super().__init__(inspection)
        self._sites: list[tuple[Callable[[], Any], call_site.Site]] = []  # of optimizers, where they were made
        self._restored: list[Callable[[], Any]] = []
        self._reset: set[int] = set()  # models whose parameters were set by hand since their last new optimizer
        self._trained: dict[int, Trained] = {}
        self._latest: Trained | None = None
        inspection.setting.append(self._set)
        inspection.intercepts.around("mlx.optimizers.optimizers.Optimizer.state", self._restore)

    def _made(self, event: CallEvent) -> None:
        alive = [one for one in self._sites if one[0]() is not None]
        self._sites = [*alive, (bound.ref(event["self"]), call_site.calling())]

    def _restore(self, original: property) -> property:
        """Return the property of an optimizer's state, that tells where it is set."""

        def state(optimizer: Any, value: Any) -> None:
            original.__set__(optimizer, value)
            with self.inspection.recorder.carefully():
                alive = [one for one in self._restored if one() is not None]
                self._restored = [*alive, bound.ref(optimizer)]

        return original.setter(state)

    def _loads(self, event: CallEvent) -> None:
        self._set(event["self"])

    def _set(self, module: Any) -> None:
        if id(module) in self._trained and not _is_inner(bound.frame(1)):
            self._reset.add(id(module))

    def began(self, model: Any, optimizer: Any) -> None:
        if not static.is_module(model):
            return
        parts = static.setting(optimizer, "optimizers", [optimizer])
        schedules = [self.inspection.schedules.get(id(_schedule(one)), ("", 0)) for one in parts]
        rates = [(span and text) or _rate(one) for one, (text, span) in zip(parts, schedules, strict=True)]
        like = (
            type(optimizer).__name__,
            next((site for one, site in reversed(self._sites) if one() is optimizer), None),
            rates,
            tuple(path for path, _ in lazy_graph.named_leaves(model.trainable_parameters())),
        )
        updates, restored = self.inspection.recorder.updates, any(one() is optimizer for one in self._restored)
        before, latest, span = self._trained.get(id(model)), self._latest, max(span for _, span in schedules)
        if latest is not None and latest.until is None and latest is not before:
            latest.until = updates - 1
        knows = any(static.setting(one, "momentum", 1) != 0 for one in parts)  # plain SGD has nothing to lose
        if before is None or before.model() is not model:
            self._latest = self._trained[id(model)] = Trained(bound.ref(model), like, updates)
            if latest is not None and latest.like == like and knows and not restored:
                self._tell_begun_anew(updates - latest.since, span, updates - 1)
            return
        self._latest, made, rounds = before, before.made(updates), before.until is not None
        if before.like[1:2] + before.like[3:] != like[1:2] + like[3:]:
            self._tell_another(model)
        lost = before.like == like and knows and None not in rates and made < (CUT * span or math.inf)
        lost = lost and not restored and id(model) not in self._reset and not before.is_rebuilt()
        self._reset.discard(id(model))
        before.renewals = before.renewals + 1 if lost else 0
        before.shortest = min(made, before.shortest) if before.renewals > 1 else made
        before.like, before.since, before.until = like, updates, None
        if before.renewals >= (SOONER if span else IS_SURE):
            told = OptimizerRenewed(
                times=before.renewals,
                optimizer=like[0],
                updates=before.shortest,
                span=span,
                rounds=rounds and before.shortest >= ROUND,
            )
            self.inspection.recorder.fact(told, like[1])

    def _tell_another(self, model: Any) -> None:
        """Tell from which gradient call on a model is trained by an optimizer of another line, or other parts of it."""
        recorder = self.inspection.recorder
        recorder.fact(AnotherTraining(stream=recorder.stream(model), call=recorder.gradients))

    def _tell_begun_anew(self, made: int, span: int, updates: int) -> None:
        """Another model has a new optimizer like the last one's: where it goes on from a file, that is a resumption."""
        if made < CUT * span:
            self.inspection.recorder.fact(ScheduleRestarted(made=made, span=span, updates=updates))


def _schedule(optimizer: Any) -> Any:
    return static.setting(optimizer, "_schedulers", {}).get("learning_rate")


def _rate(optimizer: Any) -> float | None:
    """Return a rate that is no schedule's: one without an end is never cut short."""
    state = static.setting(optimizer, "_state", {})
    return None if _schedule(optimizer) is not None else lazy_graph.known(state.get("learning_rate"))


def _is_inner(frame: FrameType | None) -> bool:
    """Tell whether MLX itself calls, through whatever wrappers of ours."""
    while frame is not None and frame.f_code.co_filename.startswith(AGENT):
        frame = frame.f_back
    return frame is not None and str(frame.f_globals.get("__name__", "")).startswith("mlx.")
