"""What passes nothing back to the parameters before it: calls within a gradient call, with their lines."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from mlxprobe.agent import graph, sites
from mlxprobe.agent.arguments import like
from mlxprobe.agent.call import Call
from mlxprobe.agent.inspection import Inspection
from mlxprobe.agent.lossgraph import LossGraph

FUNCTIONS = ("stop_gradient", "argmin", "argmax", "argsort", "argpartition", "round", "floor", "ceil", "sign")
METHODS = ("astype", "argmin", "argmax", "round", "__gt__", "__ge__", "__lt__", "__le__", "__eq__", "__ne__")
HELD = 32  # results of a call
ASKED = 8  # parameters
OTHERS = 256


class Cuts:
    """Hold the results of such calls while a gradient call that is looked at or traced lasts."""

    def __init__(self, inspection: Inspection) -> None:
        self._inspection = inspection
        self._held: list[tuple[str, Any, tuple[str, int]]] = []
        self._originals: list[tuple[Any, str, Any]] = []

    def install(self, mx: Any) -> None:
        """Wrap what `mlx.core` offers."""
        for name in FUNCTIONS:
            setattr(mx, name, self._wrapped(name, getattr(mx, name)))

    def follow(self, array: Any) -> None:
        """Wrap the methods of arrays too, for a while."""
        self.leave()
        for name in METHODS:
            self._originals.append((array, name, getattr(array, name)))
            setattr(array, name, self._wrapped(name, getattr(array, name)))

    def leave(self) -> None:
        """Give the methods back."""
        for owner, name, original in self._originals:
            setattr(owner, name, original)
        self._originals.clear()

    def _wrapped(self, name: str, original: Callable[..., Any]) -> Callable[..., Any]:
        inspection, nesting = self._inspection, self._inspection.nesting

        @like(original)
        def cut(*args: Any, **kwargs: Any) -> Any:
            made = original(*args, **kwargs)
            inside = nesting.depth and (inspection.due or nesting.tracing) and not inspection.busy
            if inside and len(self._held) < HELD and passes_nothing(name, made):
                self._held.append((name.strip("_"), made, sites.calling()))
            return made

        return cut

    def forget(self) -> None:
        """Let go of the results."""
        self._held = []

    def between(self, call: Call, parameters: list[Any]) -> tuple[str, tuple[str, int]]:
        """Name the last call on the ways from these parameters to the loss, and its line, where each has one."""
        held, wanted = self._held, {f"p{k}": one for k, one in enumerate(parameters[:ASKED])}
        if not held or not wanted or call.loss is None:
            return "", sites.NOWHERE
        cuts = {f"c{k}": one for k, (_, one, _) in enumerate(held)}
        others = {f"o{k}": one for k, one in enumerate(self._updated(call))}
        text = graph.dot(loss=call.loss, **wanted, **cuts, **others)
        near, whole = LossGraph(text, frozenset(cuts | others)), LossGraph(text, frozenset(wanted | others))
        if any(map(near.reaches, wanted)):
            return "", sites.NOWHERE
        pairs = zip(held, cuts, strict=True)
        behind = (one for one, name in pairs if near.reaches(name) and whole.named_behind(name) & wanted.keys())
        name, _, site = next(behind, ("", None, sites.NOWHERE))
        return name, site

    def _updated(self, call: Call) -> list[Any]:
        """List the parameters of other models, of which an update that waits may have seen these parameters."""
        live = (one for one in self._inspection.recorder.trained.live() if one is not call.model)
        models = [one for one in live if hasattr(one, "trainable_parameters")]
        its = set(map(id, graph.leaves(call.parameters)))
        return [one for one in graph.leaves([one.parameters() for one in models]) if id(one) not in its][:OTHERS]


def passes_nothing(name: str, made: Any) -> bool:
    """Tell whether a result has no gradient: of a conversion, one to integers or truths."""
    import mlx.core as mx

    return isinstance(made, mx.array) and (name != "astype" or not mx.issubdtype(made.dtype, mx.floating))
