"""What a few parameters are at the steps that all ranks look at: they are compared outside, and no rank hears of it."""

from __future__ import annotations

from typing import Any

from mlxprobe.agent.graph import lazy_graph
from mlxprobe.agent.inspectors.work.turns import HELD_BYTES
from mlxprobe.agent.patching import static
from mlxprobe.agent.recording.gradient_call import Call
from mlxprobe.agent.sampling.dispatcher import Inspection
from mlxprobe.agent.sampling.inspector import Inspector
from mlxprobe.agent.sampling.overhead_budget import is_landmark
from mlxprobe.agent.wire.ranks import declared
from mlxprobe.protocol.facts.ranks import ParametersHashed, ReducedInVain

MANY = 4  # parameters
TOLD = 24  # elements, which tell how far apart ranks are


class Prints(Inspector):
    """Take some elements of a few parameters as a step finds them, where their program has evaluated them."""

    emits = (ParametersHashed, ReducedInVain)

    def __init__(self, inspection: Inspection) -> None:
        super().__init__(inspection)
        self._among_others = declared()[0] >= 0
        self._arrays: dict[str, Any] = {}
        self._elements = 0
        self._has_model = False
        self._site = ("", 0)

    def called(self, call: Call) -> None:
        self._take(call.parameters, call.site)

    def training(self, model: Any, optimizer: Any) -> None:
        if static.is_module(model):
            self._has_model = True
            self._take(model.trainable_parameters(), self.inspection.recorder.gradient_site)

    def _take(self, parameters: Any, site: tuple[str, int]) -> None:
        """Remember the first of a step: small ones as they are, of larger ones that have values a few elements."""
        if not self._among_others or self._arrays or parameters is None:
            return
        named = [(path, one) for path, one in lazy_graph.named_leaves(parameters) if one.size]
        chosen = sorted(named, key=lambda pair: (pair[1].ndim < 2, int(pair[1].size), pair[0]))[:MANY]
        # a seed is not seen in what starts at 0 or 1, as vectors do
        if self.inspection.count("prints", [one for _, one in chosen]) == 0:
            self._arrays = {path: lazy_graph.sample(one) for path, one in chosen}
            lazy_graph.evaluate(list(self._arrays.values()))
        else:
            self._arrays = {path: one for path, one in chosen if one.nbytes <= HELD_BYTES / MANY}
        self._elements, self._site = sum(int(one.size) for _, one in named), site
        self.inspection.recorder.reductions.trained = self._elements

    def look(self, step: int) -> None:
        if is_landmark(step) or self.inspection.recorder.reductions.is_after(step):
            self._tell(step)
        self.forget()

    def finish(self) -> None:
        """Tell whether the last step has reduced all parameters, and nothing came of it."""
        recorder = self.inspection.recorder
        if self._has_model and recorder.reductions.has_met(recorder.under_way) and not recorder.reductions.taken:
            recorder.revise(ReducedInVain(at=recorder.under_way), self._site)

    def _tell(self, step: int) -> None:
        arrays = self._arrays
        if not arrays or self.inspection.count("prints", list(arrays.values())) != 0:
            return
        import struct  # for a look alone, as zlib
        import zlib

        values = [value for one in arrays.values() for value in lazy_graph.numbers(lazy_graph.sample(one))]
        told = values[:: -(-len(values) // TOLD)]
        self.inspection.recorder.revise(
            ParametersHashed(
                at=step,
                of=" ".join(arrays)[:200],
                bits=f"{zlib.crc32(struct.pack(f'{len(values)}f', *values)):08x}",
                values=tuple(float(f"{value:.6g}") for value in told),
                elements=self._elements,
            ),
            self._site,
        )

    def forget(self) -> None:
        self._arrays = {}
