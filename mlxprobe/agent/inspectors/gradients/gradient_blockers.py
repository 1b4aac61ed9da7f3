"""What passes nothing back to the parameters before it: calls within a gradient call, with their lines."""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import partial
from typing import Any

from mlxprobe.agent.graph import lazy_graph
from mlxprobe.agent.graph.dataflow import LossGraph
from mlxprobe.agent.intercept.events import CallEvent
from mlxprobe.agent.introspection import call_site
from mlxprobe.agent.patching import static
from mlxprobe.agent.patching.signatures import like
from mlxprobe.agent.patching.temporary_patches import Loans
from mlxprobe.agent.recording.gradient_call import Call
from mlxprobe.agent.sampling.dispatcher import Inspection
from mlxprobe.agent.sampling.in_gradients import in_gradients

FUNCTIONS = ("stop_gradient", "argmin", "argmax", "argsort", "argpartition", "round", "floor", "ceil", "sign")
METHODS = ("astype", "argmin", "argmax", "round", "__gt__", "__ge__", "__lt__", "__le__", "__eq__", "__ne__")
READS = ("item", "tolist", "__array__", "__float__", "__int__")
NUMPY = ("array", "asarray", "asanyarray", "ascontiguousarray")
LEAVES = {
    *(one.strip("_") for one in READS),
    *(f"np.{one}" for one in NUMPY),
}  # what only is logged may lead on elsewhere
HELD = 32  # results of a call
ASKED = 8  # parameters
OTHERS = 256


class Cuts:
    """Hold the results of such calls while a gradient call that is looked at or traced lasts."""

    observes = tuple(
        one for name in FUNCTIONS for one in in_gradients(f"mlx.core.{name}", "_passes_nothing", after=True)
    )

    def __init__(self, inspection: Inspection) -> None:
        self._inspection = inspection
        self._held: list[tuple[str, Any, tuple[str, int]]] = []
        self._loans = Loans()

    def _passes_nothing(self, event: CallEvent) -> None:
        self._hold(event.function, event.result)

    def _hold(self, name: str, made: Any) -> None:
        if len(self._held) < HELD and passes_nothing(name, made):
            self._held.append((name.strip("_"), made, call_site.calling()))

    def follow(self, array: Any) -> None:
        """Wrap the methods of arrays too, for a while, and what makes NumPy's of them."""
        self.leave()
        numpy = sys.modules.get("numpy")
        for owner, names in ((array, METHODS), (array, READS), *([(numpy, NUMPY)] if numpy else [])):
            for name in [one for one in names if hasattr(owner, one)]:
                leaves = owner is numpy or names is READS
                called = f"{'np.' * (owner is numpy)}{name}"
                self._loans.replace(owner, name, partial(self._leaving if leaves else self._wrapped, called))

    def leave(self) -> None:
        """Give the methods back."""
        self._loans.give_back()

    def _wrapped(self, name: str, original: Callable[..., Any]) -> Callable[..., Any]:
        inspection, nesting = self._inspection, self._inspection.nesting

        @like(original)
        def cut(*args: Any, **kwargs: Any) -> Any:
            made = original(*args, **kwargs)
            if nesting.depth and (inspection.due or nesting.tracing) and not inspection.busy:
                with inspection.recorder.carefully():
                    self._hold(name, made)
            return made

        return cut

    def _leaving(self, name: str, original: Callable[..., Any]) -> Callable[..., Any]:
        """Hold the array whose value becomes Python's or NumPy's: no way leads on from there."""
        inspection, nesting = self._inspection, self._inspection.nesting

        @like(original)
        def left(*args: Any, **kwargs: Any) -> Any:
            if nesting.depth and inspection.due and not inspection.busy and args:
                with inspection.recorder.carefully():
                    if len(self._held) < HELD and static.is_array(args[0]):
                        self._held.append((name.strip("_"), args[0], call_site.calling()))
            return original(*args, **kwargs)

        return left

    def forget(self) -> None:
        """Let go of the results."""
        self._held = []

    def between(self, call: Call, parameters: list[Any]) -> tuple[str, tuple[str, int]]:
        """Name the last call on the ways from these parameters to the loss, and its line, where each has one.

        The value of what they make may have left MLX, unless other parameters make it too: that may only be looked at.
        """
        held, wanted = self._held, {f"p{k}": one for k, one in enumerate(parameters[:ASKED])}
        if not held or not wanted or call.loss is None:
            return "", call_site.NOWHERE
        cuts = {f"c{k}": one for k, (_, one, _) in enumerate(held)}
        others = {f"o{k}": one for k, one in enumerate(self._updated(call))}
        asked = set(map(id, parameters))
        rest = [one for one in lazy_graph.leaves(call.parameters) if id(one) not in asked][:OTHERS]
        trained = {f"t{k}": one for k, one in enumerate(rest)}
        text = lazy_graph.dot(loss=call.loss, **wanted, **cuts, **others, **trained)
        near, whole = LossGraph(text, frozenset(cuts | others)), LossGraph(text, frozenset(wanted | others | trained))
        if any(map(near.reaches, wanted)):
            return "", call_site.NOWHERE
        behind = {name: whole.named_behind(name) for name in cuts}
        ways = [name for name in cuts if behind[name] & wanted.keys()]
        found = [name for name in ways if near.reaches(name)]
        left = [name for name in ways if held[int(name[1:])][0] in LEAVES and not behind[name] & trained.keys()]
        name, _, site = held[int((found or left)[0][1:])] if found or left else ("", None, call_site.NOWHERE)
        return name, site

    def _updated(self, call: Call) -> list[Any]:
        """List the parameters of other models, of which an update that waits may have seen these parameters."""
        live = (one for one in self._inspection.recorder.trained.live() if one is not call.model)
        models = [one for one in live if static.is_module(one)]
        its = set(map(id, lazy_graph.leaves(call.parameters)))
        return [one for one in lazy_graph.leaves([one.parameters() for one in models]) if id(one) not in its][:OTHERS]


def passes_nothing(name: str, made: Any) -> bool:
    """Tell whether a result has no gradient: of a conversion, one to integers or truths."""
    import mlx.core as mx

    return static.is_a(made, mx.array) and (name != "astype" or not mx.issubdtype(made.dtype, mx.floating))
