"""What a rank computes of gradients, and what its optimizer is given: held against the other ranks' outside."""

from __future__ import annotations

from typing import Any

from mlxprobe.agent.graph import lazy_graph
from mlxprobe.agent.graph.digests import digest
from mlxprobe.agent.inspectors.losses.loss_graph import unique
from mlxprobe.agent.inspectors.work.turns import HELD_BYTES
from mlxprobe.agent.introspection import call_site
from mlxprobe.agent.patching import static
from mlxprobe.agent.recording.gradient_call import Call
from mlxprobe.agent.sampling.dispatcher import Inspection
from mlxprobe.agent.sampling.gradient_ledger import Applied
from mlxprobe.agent.sampling.inspector import Inspector
from mlxprobe.agent.sampling.overhead_budget import is_landmark
from mlxprobe.agent.wire.ranks import declared
from mlxprobe.protocol.facts.ranks import GradientsRead, StatisticsRead

MANY = 4  # arrays of a batch
TOLD = 20  # elements of each gradient: more than unknown weights
CALLS = 6  # of an update
SHARDED = "mlx.nn.layers.distributed"


class Reduced(Inspector):
    """Take some elements of a few gradients at the steps that all ranks look at, once their program has them."""

    emits = (GradientsRead, StatisticsRead)
    builds_on = ("Provenance", "Shares")

    def __init__(self, inspection: Inspection) -> None:
        super().__init__(inspection)
        self._among_others = declared()[0] >= 0
        self._batch: list[Any] = []
        self._sharded = False
        self._rows = 0
        self._site = call_site.NOWHERE
        self._counts: tuple[str, Any] | None = None  # a module that counts statistics: it may outlive its model with us

    def called(self, call: Call) -> None:
        if not self._among_others:
            return
        if self._counts is None and call.model is not None:
            self._counts = counting(call.model)
        if len(self.inspection.view.computed) == 1:
            batch = [one for _, one in unique(call.data) if one.ndim > 1 and one.nbytes <= HELD_BYTES]
            self._batch, self._rows = batch[:MANY], max((int(one.shape[0]) for one in batch), default=0)
            self._site = call.site

    def updating(self, model: Any, optimizer: Any, gradients: Any) -> None:
        if self._among_others and len(self.inspection.view.applied) == 1:
            modules = model.modules() if static.is_module(model) else ()
            self._sharded = any(type(one).__module__ == SHARDED for one in modules)

    def look(self, step: int) -> None:
        applied = self.inspection.view.applied
        if self._among_others and is_landmark(step) and applied and 0 < len(applied[0].calls) <= CALLS:
            self._tell(step, applied[0])
        self.forget()

    def _tell(self, step: int, update: Applied) -> None:
        every = [*(one.gradients.arrays for one in update.calls), update.gradients.arrays]
        paths = list(update.gradients.arrays)
        if not paths or any(path not in one for one in every for path in paths):
            return
        arrays = [*(one[path] for one in every for path in paths), *self._batch]
        if self.inspection.count("reduced", arrays) != 0:
            return
        values = lazy_graph.numbers_each([lazy_graph.sample(one) for one in arrays[: len(every) * len(paths)]])
        share = TOLD // len(paths)
        some = [one[:: -(-len(one) // share)] for one in values]
        known = self.inspection.view.loss_scales
        scale, site = known[0] if len(known) == 1 and len(update.calls) == 1 else (0.0, call_site.NOWHERE)
        self.inspection.recorder.revise(
            GradientsRead(
                at=step,
                of=" ".join(paths)[:200],
                calls=len(update.calls),
                values=tuple(float(f"{value:.7g}") for one in some for value in one),
                sizes=tuple(map(len, some[: len(paths)])),
                batch=tuple(f"{digest(one)[-1]:08x}" for one in self._batch),
                rows=self._rows,
                sharded=self._sharded,
                optimizer=update.optimizer_kind,
                scale=scale,
                scaled_at=f"{site[0]}:{site[1]}",
            ),
            self._site,
        )

    def finish(self) -> None:
        """Tell what batch normalisation has counted at the end."""
        path, module = self._counts or ("", {})
        held = [module[name] for name in lazy_graph.STATISTICS if name in module]
        if not held or self.inspection.count("statistics", held) != 0:
            return
        mean, variance = lazy_graph.numbers_each([lazy_graph.sample(each) for each in held])
        step = -(-len(mean) // TOLD)
        told = StatisticsRead(
            path=path,
            mean=tuple(float(f"{value:.5g}") for value in mean[::step]),
            deviation=tuple(float(f"{max(value, 0.0) ** 0.5:.5g}") for value in variance[::step]),
            rows=self._rows,
        )
        self.inspection.recorder.revise(told, self._site)

    def forget(self) -> None:
        self._batch = []


def counting(model: Any) -> tuple[str, Any] | None:
    """Return the first module that counts running statistics, with its path; None where none does."""
    named = model.named_modules() if static.is_module(model) else ()
    return next(((path, one) for path, one in named if all(name in one for name in lazy_graph.STATISTICS)), None)
