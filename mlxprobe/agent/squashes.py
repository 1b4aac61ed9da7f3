"""Where probabilities are made of logits: softmaxes and sigmoids within a gradient call, with their lines."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Any

from mlxprobe.agent import sites
from mlxprobe.agent.arguments import like
from mlxprobe.agent.inspection import Inspection

KEPT = 8  # the last of a call: a loss is given one of these


class Squashes:
    """Hold the last results while a gradient call that is looked at or traced lasts."""

    def __init__(self, inspection: Inspection) -> None:
        self._inspection = inspection
        self._held: deque[tuple[Any, sites.Site]] = deque(maxlen=KEPT)

    def install(self, mx: Any) -> None:
        """Wrap what `mlx.core` offers."""
        for name in ("softmax", "sigmoid"):
            setattr(mx, name, self._wrapped(getattr(mx, name)))

    def _wrapped(self, original: Callable[..., Any]) -> Callable[..., Any]:
        inspection, nesting, held = self._inspection, self._inspection.nesting, self._held

        @like(original)
        def squash(*args: Any, **kwargs: Any) -> Any:
            made = original(*args, **kwargs)
            if nesting.depth and (inspection.due or nesting.tracing) and not inspection.busy:
                held.append((made, sites.calling()))
            return made

        return squash

    def let_go(self) -> tuple[dict[str, Any], dict[str, sites.Site]]:
        """Return the results and their lines by name, and hold them no more."""
        arrays = {f"s{k}": one for k, (one, _) in enumerate(self._held)}
        places = {f"s{k}": site for k, (_, site) in enumerate(self._held)}
        self._held.clear()
        return arrays, places
