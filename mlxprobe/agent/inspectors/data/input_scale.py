"""Whether a model is given numbers of another scale where it is evaluated than where it is trained."""

from __future__ import annotations

import math
from typing import Any

from mlxprobe.agent.graph import lazy_graph
from mlxprobe.agent.inspectors.losses.loss_graph import is_amount, unique
from mlxprobe.agent.introspection import call_site
from mlxprobe.agent.patching import static
from mlxprobe.agent.recording.gradient_call import Call
from mlxprobe.agent.recording.row_ledger import hashes
from mlxprobe.agent.recording.row_lookup import is_standard
from mlxprobe.agent.sampling.dispatcher import Inspection
from mlxprobe.agent.sampling.inspector import Inspector
from mlxprobe.protocol.facts.data import OtherScale, StandardisedAlone

LARGE = 1 << 22  # elements
LOOKS, SURE = 12, 3  # of each kind
APART = 4.0  # ratio of the standard deviations
TINY = 1e-9
FEW, MANY = 8, 100  # rows of a batch that are kept; rows whose own figures tell


class Scales(Inspector):
    """Read mean and deviation of what a trained model is called with, within gradient calls and outside of them.

    No array is held and nothing is evaluated for it: what waits for its values is left out.
    """

    emits = (OtherScale, StandardisedAlone)
    builds_on = ("Losses", "Passes")

    def __init__(self, inspection: Inspection) -> None:
        super().__init__(inspection)
        inspection.recorder.fed = self._fed
        self._within: list[tuple[float, float]] = []
        self._outside: list[tuple[float, float]] = []
        self._shape: tuple[int, ...] = ()  # of a row
        self._trained: set[int] = set()  # hashes of some rows of each batch
        self._alone: list[bool] = []  # whether what is given outside is scaled by its own figures, and not trained on
        self._site = ("", 0)

    def called(self, call: Call) -> None:
        fed = self.inspection.view.fed
        given = [one for _, one in unique(call.data) if id(one) in fed and is_read(one)]
        shape = tuple(given[0].shape[1:]) if len(given) == 1 else None
        if len(self._within) < LOOKS and shape is not None and shape == (self._shape or shape):
            self._shape = shape
            self._within += (figures := read(given[0]))
            self._trained |= {*hashes(given[0][:FEW])} if figures else set()

    def _fed(self, args: tuple[Any, ...]) -> None:
        """A trained model was called outside of a gradient call."""
        one: Any = args[0] if args else None
        self.inspection.alone += static.shape(one) == (1, *self._shape) != (1,)
        if len(self._outside) < LOOKS and is_read(one) and tuple(one.shape[1:]) == self._shape:
            self._outside += (figures := read(one))
            if figures:
                table = one.ndim < 3 and one.shape[0] >= MANY and is_standard(one)
                self._alone.append(table and self._trained.isdisjoint(hashes(one)))
            self._site = self._site if len(self._outside) > 1 else call_site.calling()

    def finish(self) -> None:
        if len(self._alone) >= SURE <= len(self._within) and all(self._alone):
            self.inspection.recorder.fact(StandardisedAlone(looks=len(self._alone)), self._site)
        if min(len(self._within), len(self._outside)) < SURE:
            return
        import statistics  # which few programs come to need

        usual, spread = (statistics.median(one[k] for one in self._within) for k in (0, 1))
        if spread <= TINY or not all(1 / APART < deviation / spread < APART for _, deviation in self._within):
            return
        ratios = [deviation / spread for _, deviation in self._outside]
        if all(ratio > APART for ratio in ratios) or all(ratio < 1 / APART for ratio in ratios):
            m, d = (statistics.median(one[k] for one in self._outside) for k in (0, 1))
            numbers = math.prod(self._shape)
            told = OtherScale(mean=usual, deviation=spread, m=m, d=d, looks=len(ratios), numbers=numbers)
            self.inspection.recorder.fact(told, self._site)


def is_read(one: Any) -> bool:
    """Tell whether an array is a batch of numbers."""
    return len(static.shape(one)) > 1 and is_amount(one) and 1 < one.size <= LARGE


def read(one: Any) -> list[tuple[float, float]]:
    """Return mean and deviation, where the program has evaluated the array."""
    import mlx.core as mx

    if lazy_graph.pending([one]):
        return []
    one = one.astype(mx.float32)
    mean, deviation = lazy_graph.numbers(mx.stack([mx.mean(one), mx.std(one)]))
    return [(mean, deviation)]
