"""How far the logits of a cross-entropy lie apart: where that stays next to nothing no class can stand out."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from mlxprobe.agent import graph, sites
from mlxprobe.agent.arguments import like
from mlxprobe.agent.inspection import Inspection, Inspector

CLASSES, NARROW = 8, 0.3  # fewer may be hard to tell apart; the widest row of a batch, from its lowest to its highest
LOOKS, STEPS = 5, 200
LARGE = 1 << 22  # elements


class Bands(Inspector):
    """Read the widest row of logits at each look; one that is wider, and it is over."""

    def __init__(self, inspection: Inspection) -> None:
        super().__init__(inspection)
        self._held: list[tuple[Any, tuple[str, int]]] = []
        self._widths: dict[tuple[str, int], list[float]] = {}
        self._classes = 0

    def imported(self, name: str, module: Any) -> None:
        if name == "mlx.nn.losses" and hasattr(module, "cross_entropy"):
            module.cross_entropy = self._cross_entropy(module.cross_entropy)

    def _cross_entropy(self, original: Callable[..., Any]) -> Callable[..., Any]:
        seen = self.inspection

        @like(original)
        def cross_entropy(logits: Any, *args: Any, **kwargs: Any) -> Any:
            listens = seen.due and seen.nesting.depth and not (seen.busy or seen.tracing or self._held)
            if listens and getattr(logits, "ndim", 0) == 2 and logits.shape[1] >= CLASSES and logits.size <= LARGE:
                self._held.append((logits, sites.calling()))
            return original(logits, *args, **kwargs)

        return cross_entropy

    def forget(self) -> None:
        self._held = []

    def look(self, step: int) -> None:
        import mlx.core as mx

        held = self._held
        self.forget()
        for logits, site in held:
            widths = self._widths.setdefault(site, [])
            if (widths and widths[-1] > NARROW) or self.inspection.pending([logits]):
                continue
            self._classes = int(logits.shape[1])
            widths.append(graph.number(mx.max(mx.max(logits, axis=1) - mx.min(logits, axis=1))))

    def finish(self) -> None:
        updates = self.inspection.recorder.updates
        for site, widths in self._widths.items() if updates >= STEPS else ():
            if len(widths) >= LOOKS and 0 < max(widths) <= NARROW:
                told = {"width": max(widths), "looks": len(widths), "classes": self._classes, "updates": updates}
                self.inspection.recorder.fact("logits narrow", site, **told)
