"""Targets that a compiled function has taken in as it was traced: they are those of the first batch for ever."""

from __future__ import annotations

from typing import Any

from mlxprobe.agent.graph import lazy_graph
from mlxprobe.agent.introspection.call_site import Site
from mlxprobe.agent.patching.interrupts import Quietly
from mlxprobe.agent.sampling.dispatcher import Inspection
from mlxprobe.protocol.facts.compilation import ArraysBakedIn

MOST = 4096  # ids that are compared
PLACES = 16
VIEWS = 2  # operations between a batch's ids and what picks by them
SURE = 2  # eager runs, with no trace between them
SPEAKS = (0, 30)  # MLX's release from which a placeholder says that it has no values


class Baked:
    """Remember the ids that had values while a function was traced, and compare those of its eager runs with them."""

    def __init__(self, inspection: Inspection) -> None:
        self._inspection = inspection
        self._traced: dict[Site, list[int]] = {}
        self._others: dict[Site, int] = {}  # eager runs in a row that had other ids
        self._steps: dict[Site, int] = {}  # of the last such runs
        self._several: set[Site] = set()  # places that are come to several times in a step

    def traced(self, site: Site, ids: Any) -> None:
        """A loss is traced with some ids; placeholders have no values."""
        self._traced.pop(site, None)
        self._others[site] = 0
        if len(self._traced) < PLACES and ids.size <= MOST and speaks() and lazy_graph.pending([ids]) <= VIEWS:
            with Quietly(RuntimeError, ValueError):
                self._traced[site] = ids.tolist()

    def run(self, site: Site, ids: Any) -> None:
        """A loss is computed with some ids where its function is run eagerly."""
        before, step = self._traced.get(site), self._inspection.recorder.step
        if self._steps.get(site) == step:
            self._several.add(site)
        self._steps[site] = step
        if before is None or site in self._several or ids.size > MOST or lazy_graph.pending([ids]) > VIEWS:
            return
        self._others[site] = self._others[site] + 1 if ids.tolist() != before else 0
        if self._others[site] == SURE:
            self._inspection.recorder.fact(ArraysBakedIn(paths=("the targets of the loss",), of=1), site)


def speaks() -> bool:
    """Tell whether this release's placeholders raise when their values are asked for."""
    import mlx.core as mx

    return tuple(int(one) for one in mx.__version__.split(".")[:2]) >= SPEAKS
