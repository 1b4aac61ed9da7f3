"""Where a rank's model, its batches and its rounds come from: told once, for the words of what parts it from others."""

from __future__ import annotations

from mlxprobe.agent.inspectors.losses.loss_graph import unique
from mlxprobe.agent.intercept.events import CallEvent
from mlxprobe.agent.intercept.intercepts import Observe
from mlxprobe.agent.introspection import call_site, isolated_import
from mlxprobe.agent.recording.gradient_call import Call
from mlxprobe.agent.sampling.dispatcher import Inspection
from mlxprobe.agent.sampling.inspector import Inspector
from mlxprobe.agent.wire.ranks import declared
from mlxprobe.protocol.facts.ranks import BatchMade, ModelMade, Rounds

MODULES, SITES = 1000, 4
OBSERVED = (  # among other ranks
    Observe("mlx.core.random.seed", "_seeds"),
    Observe("mlx.nn.layers.base.Module.__init__", "_makes", after=True),
)


class Whence(Inspector):
    """Read them off the source at a few gradient calls, where there are other ranks."""

    emits = (BatchMade, ModelMade, Rounds)
    passes = 1

    def __init__(self, inspection: Inspection) -> None:
        super().__init__(inspection)
        self._among_others = declared()[0] >= 0
        self._seed: tuple[str, call_site.Site] = "", call_site.NOWHERE  # the last one
        self._made: dict[int, tuple[call_site.Site, str, call_site.Site]] = {}  # modules, where, and after which seed
        self._told: set[call_site.Site] = set()
        if self._among_others:
            inspection.intercepts.add(self, OBSERVED)

    def _seeds(self, event: CallEvent) -> None:
        if not self.inspection.recorder.gradients:
            self._seed = str(event["seed"]), call_site.calling()

    def _makes(self, event: CallEvent) -> None:
        if not self.inspection.recorder.gradients and len(self._made) < MODULES:
            self._made[id(event["self"])] = call_site.calling(), *self._seed

    def called(self, call: Call) -> None:
        if not self._among_others or call.site in self._told or len(self._told) >= SITES:
            return
        self._told.add(call.site)
        recorder, made = self.inspection.recorder, self._made.get(id(call.model))
        if made is not None:
            site, seed, seeded = made
            recorder.revise(ModelMade(seed=seed, seeded=call_site.brief(seeded)), site)
        batch = [name for name, one in unique(call.data) if one.ndim > 1]
        with isolated_import.importable():
            from mlxprobe.agent.introspection import exits
            from mlxprobe.agent.recording import value_provenance

            way = exits.around(call_site.way()[0])
            place = value_provenance.datum(call, batch[0]) if batch else call_site.NOWHERE
        recorder.revise(Rounds(left=tuple(way[0]), skipped=tuple(way[1]), made=tuple(way[2])), call.site)
        if place[1]:
            recorder.revise(BatchMade(), place)
