"""Where parameters are that get no gradient: what does not use them, or what has made them zero."""

from __future__ import annotations

from typing import Any

from mlxprobe.agent.graph import lazy_graph
from mlxprobe.agent.graph.dataflow import LossGraph
from mlxprobe.agent.introspection import call_site, isolated_import
from mlxprobe.agent.introspection.code_ownership import OWN
from mlxprobe.agent.patching import static
from mlxprobe.agent.recording.gradient_call import Call
from mlxprobe.agent.sampling.dispatcher import Inspection
from mlxprobe.agent.wire import bound

TRIES = 4
CALL = "__call__"


class Unused:
    """Remember the model, and whether gradients that were zero were filled with zeros, since nothing leads to them."""

    def __init__(self, inspection: Inspection) -> None:
        self._inspection = inspection
        self._model: Any = lambda: None
        self._tries = 0  # times that gradients were drawn
        self._filled = False

    def look(self, call: Call, named: list[tuple[str, Any]], doubtful: set[str]) -> bool:
        """Draw some gradients; tell whether all of them are filled."""
        self._model = bound.ref(call.model) if call.model is not None else self._model
        arrays = {f"g{k}": one for k, (path, one) in enumerate(named) if path in doubtful}
        if not arrays or self._tries >= TRIES or self._inspection.recorder.lazy_steps > 1:
            return False
        self._tries += 1
        self._filled = all(map(LossGraph(lazy_graph.dot(**arrays)).is_filled, arrays))
        return self._filled

    def stranger(self) -> str:
        """Name the model's class where the loss calls another of that class and never this one; else nothing."""
        model, called = self._model(), [known() for known in self._inspection.recorder.in_losses.values()]
        others = [one for one in called if type(one) is type(model) and shapes(one) == shapes(model)]
        if not others or not self._filled or any(one is model for one in called):
            return ""
        its = set(map(id, model.modules()))
        return type(model).__name__ if any(id(one) not in its for one in others) else ""

    def cause(self, zero: set[str]) -> tuple[call_site.Site, bool]:
        """Return the line of the model's own classes that has no gradient reach these parameters, and `left_out`'s."""
        model = self._model()
        its = {path.partition(":")[2] for path in zero if path.startswith(f"{id(model)}:")}
        if model is None or not its:
            return call_site.NOWHERE, False
        at_zero = begins_at_zero(model, its)
        return (at_zero, False) if at_zero[1] or not self._filled else self._left_out(model, its)

    def _left_out(self, model: Any, its: set[str]) -> tuple[call_site.Site, bool]:
        """Ask `left_out` of a model that the loss calls: no line of one that it does not call has run for it."""
        called = any(known() is model for known in self._inspection.recorder.in_losses.values())
        every = {path for path, _ in lazy_graph.named_leaves(model.trainable_parameters())}
        return left_out(model, its) if called or not every <= its else (call_site.NOWHERE, False)


def shapes(model: Any) -> list[tuple[str, tuple[int, ...]]]:
    """List the parameters of a model with their shapes."""
    return [(path, tuple(one.shape)) for path, one in lazy_graph.named_leaves(model.parameters() if model else {})]


def begins_at_zero(model: Any, zero: set[str]) -> call_site.Site:
    """Return the line of a user's class that sets a parameter which is all zeros, as is what it is multiplied with.

    That is, at least two parameters of one module.
    """
    modules = dict(model.named_modules())
    for path in sorted(zero):
        owner, _, name = path.rpartition(".")
        module = modules.get(owner)
        its = [one for one in zero if one.rpartition(".")[0] == owner]
        if module is None or not is_users(module) or len(its) < 2 or name not in module:
            continue
        arrays = [dict.get(module, one.rpartition(".")[2]) for one in its]
        if lazy_graph.pending(arrays) == 0 and not any(map(lazy_graph.largest, arrays)):
            found: call_site.Site = _authored().assignment(module, name)
            return found
    return call_site.NOWHERE


def left_out(model: Any, zero: set[str]) -> tuple[call_site.Site, bool]:
    """Return where the module ends that leaves out what has these parameters.

    And tell whether others of its class do not: the last of several blocks may have what nobody asks of it.
    """
    modules = dict(model.named_modules())
    every = [path for path, _ in lazy_graph.named_leaves(model.trainable_parameters())]
    path = min(zero)
    while (above := path.rpartition(".")[0]) and {one for one in every if one.startswith(f"{above}.")} <= zero:
        path = above
    holder = path.rpartition(".")[0]
    while holder and not is_users(modules.get(holder)):
        holder = holder.rpartition(".")[0]
    module = modules.get(holder)
    if not is_users(module):
        return call_site.NOWHERE, False
    inside = {
        one[len(holder) + 1 :] if holder else one for one in zero if one.startswith(f"{holder}." if holder else "")
    }
    others = [name for name, one in modules.items() if type(one) is type(module) and name != holder]
    spare = any(f"{name}.{one}" in every and f"{name}.{one}" not in zero for name in others for one in inside)
    return _authored().result_of(_authored().unwrapped(static.method(module, CALL))[0], module), spare


def is_users(module: Any) -> bool:
    """Tell whether a module is of the user's own class."""
    plain = _authored().unwrapped(static.method(module, CALL))[0]
    return plain is not None and call_site.whose(plain.__code__.co_filename) == OWN


def _authored() -> Any:
    with isolated_import.importable():
        from mlxprobe.agent.introspection import blame
    return blame
