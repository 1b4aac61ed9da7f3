"""Gradients that were clipped element by element, as the optimizer gets them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from mlxprobe.agent import graph, sites
from mlxprobe.agent.arguments import like
from mlxprobe.agent.call import Call
from mlxprobe.agent.inspection import Inspection, Inspector
from mlxprobe.agent.inspectors.gradients import HELD_BYTES

MOST_ELEMENTS = 0.5
IS_SURE = 4


class Clipping(Inspector):
    """Count the elements that have exactly the largest absolute value of all, where the program changed gradients."""

    def __init__(self, inspection: Inspection) -> None:
        super().__init__(inspection)
        self._raw: set[int] = set()
        self._held: list[Any] = []
        self._site = ("", 0)
        self._signs = self._wants_signs = False  # whether the program has asked for signs since its gradients
        self._looks: list[tuple[float, float]] = []  # the largest value, and the share of elements that have it

    def imported(self, name: str, module: Any) -> None:
        if name == "mlx.core":
            module.sign = self._sign(module.sign)

    def _sign(self, original: Callable[..., Any]) -> Callable[..., Any]:
        @like(original)
        def sign(*args: Any, **kwargs: Any) -> Any:
            self._signs = True
            return original(*args, **kwargs)

        return sign

    def called(self, call: Call) -> None:
        self._signs = False
        self._raw = {id(one) for one in graph.leaves(call.gradients)}

    def updating(self, model: Any, optimizer: Any, gradients: Any) -> None:
        budget, self._held = HELD_BYTES, []
        for one in sorted(graph.leaves(gradients), key=lambda one: int(one.nbytes)):
            budget -= one.nbytes
            if id(one) not in self._raw and one.size > 1 and budget >= 0:
                self._held.append(one)
        self._site = sites.calling()
        self._wants_signs = self._signs

    def look(self, step: int) -> None:
        held, self._held = self._held, []
        if not held or self.inspection.pending(held):
            return
        import mlx.core as mx

        limit = max(graph.largest(one) for one in held)
        if not 0 < limit < float("inf"):
            return
        sizes = [mx.abs(one) for one in held]
        at_limit = sum(graph.number((size == limit).sum()) for size in sizes)
        between = sum(graph.number(((size > 0) & (size < limit)).sum()) for size in sizes)
        self._judge(limit, at_limit / sum(one.size for one in held), between)

    def _judge(self, limit: float, share: float, between: float) -> None:
        """Remember looks at one limit; where no element lies between, these may be signs that the program wants."""
        if self._looks and self._looks[-1][0] != limit:
            self._looks.clear()
        if share < MOST_ELEMENTS or (self._wants_signs and not between):
            return
        self._looks.append((limit, share))
        if len(self._looks) >= IS_SURE:
            share = sorted(one for _, one in self._looks)[len(self._looks) // 2]
            self.inspection.recorder.fact(
                "clipped everywhere", self._site, limit=limit, share=share, looks=len(self._looks)
            )
