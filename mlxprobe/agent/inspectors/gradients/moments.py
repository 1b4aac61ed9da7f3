"""What optimizers have gathered of each parameter's gradients: where all of it is zero, none has ever been else."""

from __future__ import annotations

from typing import Any

from mlxprobe.agent.graph import lazy_graph
from mlxprobe.agent.introspection.trees import weak
from mlxprobe.agent.patching import static
from mlxprobe.agent.sampling.dispatcher import Inspection
from mlxprobe.agent.sampling.overhead_budget import is_landmark

ENOUGH = 12  # updates
MOST = 256  # parameters, from all over the model


class Moments:
    """Read them, of compiled steps, whose own gradients are seen at the few that are run once more."""

    def __init__(self, inspection: Inspection) -> None:
        self._inspection = inspection
        self._known = weak(None), weak(None)
        self.every = 0
        self.zero: set[str] = set()  # by path, as gradients are called

    def training(self, model: Any, optimizer: Any) -> None:
        """Remember what is trained, and by what."""
        self._known = weak(model), weak(optimizer)

    def look(self, step: int) -> None:
        """Read what is there after a step."""
        if is_landmark(step):
            self._read()

    def finish(self) -> None:
        """Read it once more, where it is still there: a part of the model may have begun late."""
        self._read()

    def _read(self) -> None:
        model, optimizer = (one() for one in self._known)
        if self._inspection.recorder.updates < ENOUGH or not static.is_module(model):
            return
        state: dict[str, list[Any]] = {}
        for path, one in lazy_graph.named_leaves(static.state(optimizer)):
            state.setdefault(path.rpartition(".")[0], []).append(one)
        paths = [
            path for path, one in lazy_graph.named_leaves(model.trainable_parameters()) if one.size and path in state
        ]
        chosen = paths[:: -(-len(paths) // MOST) or 1]
        gathered = [(path, one) for path in chosen for one in state[path]]
        if not gathered or self._inspection.pending([one for _, one in gathered], copies=False):
            return
        by_sample = still([(path, lazy_graph.sample(one)) for path, one in gathered])
        zero = still([pair for pair in gathered if pair[0] in by_sample])
        gathers = len(zero) < len(chosen)  # plain SGD has a place for momentum, and leaves it at zero
        self.zero = {f"{id(model)}:{path}" for path in zero if gathers}
        self.every = len(chosen)


def still(named: list[tuple[str, Any]]) -> set[str]:
    """Return the names under which there are zeros alone."""
    sizes = lazy_graph.largest_each([one for _, one in named]) if named else []
    return {name for name, _ in named} - {name for (name, _), size in zip(named, sizes, strict=True) if size}
