"""Gradients of several calls and the update that they end in: their sum, their mean, or not all of them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from mlxprobe.agent import graph, sites
from mlxprobe.agent.arguments import like
from mlxprobe.agent.call import Call
from mlxprobe.agent.inspection import Inspection, Inspector

SMALL = 4096  # elements of the one parameter whose gradients are kept
ELEMENTS = 3  # fewer are a multiple of whatever else by chance
CARRIED_IS_SURE = 2
TOLERANCE = 2e-2  # of half precision


class Accumulation(Inspector):
    """Keep one small parameter's gradient of each call, and compare the update's with their sum."""

    shadows = True

    def __init__(self, inspection: Inspection) -> None:
        super().__init__(inspection)
        self._path = ""
        self._calls: dict[int, list[Any]] = {}
        self._update: tuple[list[Any], Any, str, tuple[str, int]] | None = None
        self._scalings: list[int] = []
        self._usual = 0
        self._clipped: tuple[Any, Any] = None, None  # that gradient after clipping by norm, and before
        self._before: tuple[int, list[float]] = 0, []  # the last update, and what it was given
        self._carried = 0  # updates in a row that were given all of the one before as well

    def imported(self, name: str, module: Any) -> None:
        if name == "mlx.optimizers.optimizers" and hasattr(module, "clip_grad_norm"):
            module.clip_grad_norm = self._clipping(module.clip_grad_norm)

    def _clipping(self, original: Callable[..., Any]) -> Callable[..., Any]:
        seen = self.inspection

        @like(original)
        def clip_grad_norm(grads: Any, *args: Any, **kwargs: Any) -> Any:
            result = original(grads, *args, **kwargs)
            if seen.due and not seen.busy and seen.home.here() and self._path:
                after, before = (dict(graph.named_leaves(one)).get(self._path) for one in (result[0], grads))
                self._clipped = after, before  # its factor would hide a sum's
            return result

        return clip_grad_norm

    def called(self, call: Call) -> None:
        named = dict(graph.named_leaves(call.gradients))
        if self._path not in named:
            small = sorted((one.size, path) for path, one in named.items() if one.size <= SMALL)
            self._path = next((path for size, path in small if size > 1), small[0][1] if small else "")
        if self._path in named:
            self._calls.setdefault(id(call.model) if call.model is not None else 0, []).append(named[self._path])
        self._scalings.append(self.inspection.looked.get("scalings", -1))

    def updating(self, model: Any, optimizer: Any, gradients: Any) -> None:
        calls = self._calls.pop(id(model), None) or self._calls.pop(0, [])
        passed = dict(graph.named_leaves(gradients)).get(self._path)
        after, before = self._clipped
        passed = before if passed is after else passed
        if calls and passed is not None and all(one.shape == passed.shape for one in calls):
            self._update = calls, passed, type(optimizer).__name__, sites.calling()

    def forget(self) -> None:
        self._calls.clear()
        self._update, self._scalings, self._clipped = None, [], (None, None)

    def look(self, step: int) -> None:
        update, scalings = self._update, self._scalings
        self.forget()
        if update is None or self.inspection.pending([*update[0], update[1]]):
            return
        calls, passed, optimizer, site = update
        values, sum_ = [graph.numbers(one) for one in calls], graph.numbers(passed)
        self._follow(values, sum_, site)
        if len(calls) < 2:
            return
        share = share_of_sum(values, sum_)
        if share is None and 0 < self._usual < len(calls) and share_of_sum(values[-self._usual :], sum_) is not None:
            self.inspection.recorder.fact(
                "gradients dropped", site, calls=len(calls) - self._usual, of=len(calls), at_end=False
            )
        if share is not None:
            self._usual = len(calls)
            self.inspection.recorder.fact(
                "accumulated",
                site,
                calls=len(calls),
                share=share,
                scalings=min(scalings, default=-1),
                optimizer=optimizer,
            )

    def _follow(self, values: list[list[float]], passed: list[float], site: tuple[str, int]) -> None:
        """Tell of updates that are given what the one before was given, whole, and the new gradients on top of it."""
        recorder = self.inspection.recorder
        (updates, before), self._before = self._before, (recorder.updates, passed)
        carried = updates + 1 == recorder.updates and len(before) == len(passed) >= ELEMENTS and any(before)
        if carried and share_of_sum(values, passed) is None:
            share = share_of_sum(values, [now - then for now, then in zip(passed, before, strict=True)])
            self._carried = self._carried + 1 if share is not None and share > 0 else 0
        else:
            self._carried = 0
        if self._carried == CARRIED_IS_SURE:
            recorder.fact("not cleared", site, calls=len(values))


def share_of_sum(calls: list[list[float]], passed: list[float]) -> float | None:
    """Return the factor by which the update's gradient is the sum of the calls'; None where it is no multiple."""
    total = [sum(values) for values in zip(*calls, strict=True)]
    length = sum(value * value for value in total)
    if length == 0.0:
        return None
    share = sum(p * t for p, t in zip(passed, total, strict=True)) / length
    left = sum((p - share * t) ** 2 for p, t in zip(passed, total, strict=True))
    size = sum(p * p for p in passed)
    return share if size > 0 and left <= TOLERANCE**2 * size else None
