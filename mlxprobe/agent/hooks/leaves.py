"""Which gradient an array is, by its path: of several ranks, each is to reduce the same one at the same time."""

from __future__ import annotations

from typing import Any

from mlxprobe.agent.graph import lazy_graph
from mlxprobe.agent.sampling.overhead_budget import is_landmark
from mlxprobe.agent.wire import bound

MOST = 1000


class Leaves:
    """Know the arrays of the last gradient call by identity, at the steps that all ranks look at, and keep none."""

    def __init__(self) -> None:
        self._calls = 0
        self.named: dict[int, tuple[bound.ref[Any], str]] = {}  # none at most steps

    def take(self, gradients: Any) -> None:
        """A gradient call has returned these."""
        self._calls += 1
        self.named = {}
        if is_landmark(self._calls):
            named = lazy_graph.named_leaves(gradients)
            self.named = {id(one): (bound.ref(one), path) for path, one in named[:MOST]}

    def name(self, array: Any) -> str:
        """Return the path of a gradient; an empty string where it is none, or not known."""
        known = self.named.get(id(array))
        return known[1] if known is not None and known[0]() is array else ""
