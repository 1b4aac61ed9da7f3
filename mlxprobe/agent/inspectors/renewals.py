"""Optimizers that are made anew while their model goes on: what the last one knew of the gradients is lost."""

from __future__ import annotations

import sys
import weakref
from collections.abc import Callable
from dataclasses import dataclass
from types import FrameType
from typing import Any

from mlxprobe.agent import graph, sites
from mlxprobe.agent.arguments import like
from mlxprobe.agent.inspection import Inspection, Inspector

IS_SURE = 3  # renewals


@dataclass
class Trained:
    """A model, what its last optimizer was like, and how often one like it has followed another."""

    model: Callable[[], Any]
    like: tuple[Any, ...]
    renewals: int = 0


class Renewals(Inspector):
    """Compare each new optimizer with the one before it: its kind, its rate, its line, and what it is to train."""

    def __init__(self, inspection: Inspection) -> None:
        super().__init__(inspection)
        self._sites: weakref.WeakKeyDictionary[Any, tuple[str, int]] = weakref.WeakKeyDictionary()
        self._restored: weakref.WeakSet[Any] = weakref.WeakSet()
        self._reset: set[int] = set()  # models whose parameters were set by hand since their last new optimizer
        self._trained: dict[int, Trained] = {}

    def imported(self, name: str, module: Any) -> None:
        if name == "mlx.optimizers.optimizers":
            base = module.Optimizer
            base.__init__ = self._made(base.__init__)
            if isinstance(getattr(base, "state", None), property):
                base.state = base.state.setter(self._restore(base.state.fset))
        elif name == "mlx.nn.layers.base":
            for method in ("update", "load_weights"):
                setattr(module.Module, method, self._by_hand(getattr(module.Module, method)))

    def _made(self, original: Callable[..., Any]) -> Callable[..., Any]:
        @like(original)
        def __init__(optimizer: Any, *args: Any, **kwargs: Any) -> None:  # noqa: N807
            original(optimizer, *args, **kwargs)
            self._sites[optimizer] = sites.calling()

        return __init__

    def _restore(self, original: Callable[..., Any]) -> Callable[..., Any]:
        def state(optimizer: Any, value: Any) -> None:
            original(optimizer, value)
            self._restored.add(optimizer)

        return state

    def _by_hand(self, original: Callable[..., Any]) -> Callable[..., Any]:
        @like(original)
        def call(module: Any, *args: Any, **kwargs: Any) -> Any:
            if id(module) in self._trained and not _is_inner(sys._getframe(1)):
                self._reset.add(id(module))
            return original(module, *args, **kwargs)

        return call

    def began(self, model: Any, optimizer: Any) -> None:
        if not hasattr(model, "trainable_parameters") or hasattr(optimizer, "optimizers"):
            return
        rate = graph.known(getattr(optimizer, "_state", {}).get("learning_rate"))
        kind = (
            type(optimizer).__name__,
            self._sites.get(optimizer),
            rate,
            len(graph.leaves(model.trainable_parameters())),
        )
        before = self._trained.get(id(model))
        if before is None or before.model() is not model:
            self._trained[id(model)] = Trained(weakref.ref(model), kind)
            return
        knows = getattr(optimizer, "momentum", 1) != 0 and rate is not None  # plain SGD has nothing to lose
        lost = before.like == kind and knows and optimizer not in self._restored and id(model) not in self._reset
        self._reset.discard(id(model))
        before.renewals = before.renewals + 1 if lost else 0
        before.like = kind
        if before.renewals >= IS_SURE:
            recorder = self.inspection.recorder
            recorder.fact("optimizer renewed", kind[1], times=before.renewals, optimizer=kind[0])


def _is_inner(frame: FrameType | None) -> bool:
    """Tell whether MLX itself calls, through whatever wrappers of ours."""
    while frame is not None and str(frame.f_globals.get("__name__", "")).startswith("mlxprobe.agent"):
        frame = frame.f_back
    return frame is not None and str(frame.f_globals.get("__name__", "")).startswith("mlx.")
