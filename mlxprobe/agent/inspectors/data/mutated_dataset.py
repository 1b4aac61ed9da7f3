"""Whether the arrays that batches are cut from are written to while they are trained on."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from mlxprobe.agent.graph import lazy_graph
from mlxprobe.agent.inspectors.losses.loss_graph import is_amount
from mlxprobe.agent.introspection import call_site, isolated_import
from mlxprobe.agent.introspection.trees import is_array
from mlxprobe.agent.recording.gradient_call import Call
from mlxprobe.agent.sampling.dispatcher import Inspection
from mlxprobe.agent.sampling.inspector import Inspector
from mlxprobe.agent.sampling.overhead_budget import is_landmark
from mlxprobe.agent.wire import bound
from mlxprobe.protocol.facts.data import WrittenTo

MOST, ARRAYS = 4, 4  # sources, and arrays of a call
ALL, ALONG = 0.9, 0.5  # of the elements that are read; correlation with what they were
GROWS, FAR = 1.05, 1.5  # the deviation, from look to look and in all
SURE = 3  # looks in a row


class Source:
    """An array of rows like a batch's, of MLX's or NumPy's, with some of its elements as they were."""

    def __init__(self, name: str, one: Any) -> None:
        self.name = name
        self.array: Callable[[], Any] = bound.ref(one)
        self.rows = int(one.shape[0])
        self.values: list[float] = []
        self.first = 0.0
        self.times = 0  # looks in a row that found all of them changed, and further apart

    def follow(self, values: list[float]) -> bool:
        """Tell whether that is sure now."""
        import statistics  # which few programs come to need

        before, self.values = self.values, values
        if len(before) != len(values) or not all(map(math.isfinite, values)):
            return False
        old, new = statistics.pstdev(before), statistics.pstdev(values)
        changed = sum(a != b for a, b in zip(before, values, strict=True)) >= ALL * len(values)
        drifts = changed and old > 0 and new > GROWS * old and statistics.correlation(before, values) > ALONG
        self.first = self.first if self.times else old
        self.times = self.times + 1 if drifts else 0
        return self.times >= SURE and new > FAR * self.first


class Sources(Inspector):
    """Find once what the program holds beside a batch, and read some elements of it at a few looks."""

    emits = (WrittenTo,)
    passes = 1

    def __init__(self, inspection: Inspection) -> None:
        super().__init__(inspection)
        self._sources: list[Source] | None = None
        self._told = False

    def called(self, call: Call) -> None:
        self._read(call.data, call.site)

    def given(self, args: Any) -> None:
        self._read(args, call_site.calling())

    def _read(self, data: Any, site: tuple[str, int]) -> None:
        if self._told or not is_landmark(self.inspection.recorder.step + 1):
            return
        batches = [one for one in lazy_graph.leaves(data)[:ARRAYS] if one.ndim > 1 and is_amount(one)]
        if self._sources is None and batches:
            self._sources = found(batches)
        for source in self._sources or ():
            one = source.array()
            if one is None or (is_array(one) and self.inspection.pending([one])):
                continue
            if source.follow(read(one)):
                import statistics

                self._told = True
                now = statistics.pstdev(source.values)
                told = WrittenTo(source=source.name, rows=source.rows, before=source.first, now=now)
                self.inspection.recorder.fact(told, site)
                return


def found(batches: list[Any]) -> list[Source]:
    """List arrays that the program's functions hold, with rows like a batch's and more of them."""
    with isolated_import.importable():
        from mlxprobe.agent.recording import source_arrays
    every = [(name, one) for name, one in source_arrays.held() if "float" in str(one.dtype)]
    like = [(name, one) for name, one in every if any(source_arrays.is_larger(one, batch) for batch in batches)]
    return [Source(name, one) for name, one in like[:MOST]]


def read(one: Any) -> list[float]:
    """Return some elements from all over an array."""
    if is_array(one):
        return lazy_graph.numbers(lazy_graph.sample(one))
    values: list[float] = one.flat[:: max(1, one.size // lazy_graph.SAMPLED)].tolist()
    return values
