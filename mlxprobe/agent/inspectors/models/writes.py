"""Where a loss function writes into parameters: wrapped while a gradient call that is looked at lasts."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from mlxprobe.agent.graph import lazy_graph
from mlxprobe.agent.introspection import call_site
from mlxprobe.agent.patching import static
from mlxprobe.agent.patching.signatures import like
from mlxprobe.agent.patching.temporary_patches import Loans

IN_PLACE = ("__setitem__", "__iadd__", "__isub__", "__imul__", "__itruediv__", "__ifloordiv__", "__imod__", "__ipow__")
MANY = 64  # writes that are asked about


class Writes:
    """The first line that has written into each parameter of a model, by path."""

    def __init__(self) -> None:
        self.sites: dict[str, tuple[str, int]] = {}
        self._model: Any = None
        self._left = 0
        self._loans = Loans()

    def follow(self, model: Any) -> None:
        """Wrap what writes."""
        import mlx.core as mx

        self.stop()
        self._model, self._left, self.sites = model, MANY, {}
        for name in IN_PLACE:
            if name in vars(mx.array):
                self._wrap(mx.array, name, self._in_place)
        base = next(kind for kind in type(model).__mro__ if kind.__module__ == "mlx.nn.layers.base")
        self._wrap(base, "__setattr__", self._attribute)

    def stop(self) -> None:
        """Give back what was wrapped."""
        self._model = None
        self._loans.give_back()

    def _wrap(self, owner: Any, name: str, wrapped: Callable[[Any], Any]) -> None:
        self._loans.replace(owner, name, lambda original: like(original)(wrapped(original)))

    def _in_place(self, original: Callable[..., Any]) -> Callable[..., Any]:
        def write(array: Any, *args: Any) -> Any:
            self._note(lambda one: one is array)
            return original(array, *args)

        return write

    def _attribute(self, original: Callable[..., Any]) -> Callable[..., Any]:
        def write(module: Any, key: str, value: Any) -> Any:
            before = module.get(key) if static.is_array(value) else None
            if before is not None and before is not value:
                self._note(lambda one: one is before)
            return original(module, key, value)

        return write

    def _note(self, wanted: Callable[[Any], bool]) -> None:
        if self._model is None or not self._left:
            return
        self._left -= 1
        for path, one in lazy_graph.named_leaves(self._model.trainable_parameters()):
            if wanted(one):
                self.sites.setdefault(path, call_site.calling())
