"""Whether an update is lost to rounding: elements of 16 bits that stay as they are, the larger the likelier."""

from __future__ import annotations

from typing import Any

from mlxprobe.agent.graph import lazy_graph
from mlxprobe.agent.introspection.trees import is_vector
from mlxprobe.agent.recording.gradient_call import Call
from mlxprobe.agent.sampling.dispatcher import Inspection
from mlxprobe.agent.sampling.inspector import Inspector
from mlxprobe.protocol.facts.updates import UpdatesRoundedAway

MOST = 4  # matrices
LOOKS, SURE = 24, 4
STAY, FEW = 0.6, 8  # of the elements; those that must have moved at all looks
SMALLER = 0.5  # than those that stay are those that move


class Swallows(Inspector):
    """Compare some elements of the largest matrices of 16 bits before an update and after it."""

    emits = (UpdatesRoundedAway,)
    passes = 1

    def __init__(self, inspection: Inspection) -> None:
        super().__init__(inspection)
        self._held: tuple[Any, dict[str, list[float]], tuple[str, int]] | None = None
        self._looks = self._steps = 0
        self._stayed: list[float] = []  # sizes
        self._moved: list[float] = []

    def called(self, call: Call) -> None:
        """Read the elements, where nothing waits: of one model, once a step."""
        if call.model is None or self._looks >= LOOKS or self._held is not None:
            return
        named = chosen(call.model)
        if named and not self.inspection.pending([*named.values()], copies=False):
            values = dict(
                zip(named, lazy_graph.numbers_each([lazy_graph.sample(one) for one in named.values()]), strict=True)
            )
            self._held, self._steps = (call.model, values, call.site), self.inspection.recorder.updates

    def forget(self) -> None:
        self._held = None

    def look(self, step: int) -> None:
        """Read them again, after one update."""
        held, self._held = self._held, None
        if held is None or self.inspection.recorder.updates != self._steps + 1:
            return
        model, before, site = held
        named = {path: one for path, one in chosen(model).items() if path in before}
        if named.keys() != before.keys() or self.inspection.pending([*named.values()], copies=False):
            return
        self._looks += 1
        after = lazy_graph.numbers_each([lazy_graph.sample(one) for one in named.values()])
        for path, values in zip(named, after, strict=True):
            for then, now in zip(before[path], values, strict=True):
                (self._stayed if then == now else self._moved).append(abs(then))
        if self._looks >= SURE:
            self._tell(site, str(next(iter(named.values())).dtype).rpartition(".")[2])

    def _tell(self, site: tuple[str, int], dtype: str) -> None:
        stay = len(self._stayed) / (len(self._stayed) + len(self._moved))
        if stay >= STAY and len(self._moved) >= FEW:
            import statistics  # which few programs come to need

            moved, stayed = statistics.median(self._moved), statistics.median(self._stayed)
            if moved < SMALLER * stayed:
                told = UpdatesRoundedAway(share=stay, dtype=dtype, looks=self._looks, moved=moved, stayed=stayed)
                self.inspection.recorder.revise(told, site)


def chosen(model: Any) -> dict[str, Any]:
    """Return the largest matrices of 16 bits that are trained, without tables of which single rows are."""
    tables = {path for path, one in model.named_modules() if "Embedding" in type(one).__name__}
    named = [
        (path, one)
        for path, one in lazy_graph.named_leaves(model.trainable_parameters())
        if one.ndim > 1 and str(one.dtype).endswith("float16") and path.rpartition(".")[0] not in tables
    ]
    return dict(sorted([pair for pair in named if not is_vector(pair[1])], key=lambda pair: -int(pair[1].size))[:MOST])
