"""Call back when a module has just been imported, before the program sees it."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Callable, Sequence
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import TYPE_CHECKING, Any, cast

if TYPE_CHECKING:
    from importlib.abc import Loader

Callback = Callable[[Any], None]


class _Loader:
    """Load as the original loader does, then call back.

    By its form alone: to import `importlib.abc` takes as long as all of the agent.
    """

    def __init__(self, loader: Any, callback: Callback) -> None:
        self._loader = loader
        self._callback = callback

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        module: ModuleType | None = self._loader.create_module(spec)
        return module

    def exec_module(self, module: ModuleType) -> None:
        self._loader.exec_module(module)
        module.__loader__ = self._loader
        _finder.callbacks.pop(module.__name__, None)  # once is enough, also where it is loaded again
        self._callback(module)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._loader, name)


class _Finder:
    def __init__(self) -> None:
        self.callbacks: dict[str, Callback] = {}

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        callback = self.callbacks.pop(fullname, None)  # what follows asks us again
        if callback is None:
            return None
        try:
            spec = importlib.util.find_spec(fullname)
        finally:
            self.callbacks[fullname] = callback  # this may have been a look only, whether it can be imported
        if spec is not None and spec.loader is not None:
            spec.loader = cast("Loader", _Loader(spec.loader, callback))
        return spec


_finder = _Finder()


def when_imported(name: str, callback: Callback) -> None:
    """Call `callback(module)` right after `name` is imported for the first time."""
    if _finder not in sys.meta_path:
        sys.meta_path.insert(0, _finder)
    _finder.callbacks[name] = callback
