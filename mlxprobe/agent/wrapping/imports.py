"""Call back when a module has just been imported, before the program sees it."""

from __future__ import annotations

import contextlib
import importlib.util
import sys
from collections.abc import Callable, Iterable, Sequence
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import TYPE_CHECKING, Any, cast

if TYPE_CHECKING:
    from importlib.abc import Loader

Callback = Callable[[Any], None]
Around = Callable[[Any], contextlib.AbstractContextManager[None]]


class _Loader:
    """Load as the original loader does, then call back.

    By its form alone: to import `importlib.abc` takes as long as all of the agent.
    """

    def __init__(self, loader: Any, callback: Callback) -> None:
        self._loader = loader
        self._callback = callback

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        _finder.before.pop(spec.name, _nothing)()
        module: ModuleType | None = self._loader.create_module(spec)
        return module

    def exec_module(self, module: ModuleType) -> None:
        self._loader.exec_module(module)
        module.__loader__ = self._loader
        _finder.callbacks.pop(module.__name__, None)  # once is enough, also where it is loaded again
        with _finder.around(module):
            self._callback(module)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._loader, name)


class _Finder:
    def __init__(self) -> None:
        self.callbacks: dict[str, Callback] = {}
        self.before: dict[str, Callable[[], None]] = {}
        self.around: Around = contextlib.nullcontext  # of every callback

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


def _nothing() -> None:
    pass


def when_imported(name: str, callback: Callback, before: Callable[[], None] = _nothing) -> None:
    """Call `callback(module)` right after `name` is imported for the first time, and `before` when that begins."""
    _finder.before[name] = before
    if _finder not in sys.meta_path:
        sys.meta_path.insert(0, _finder)
    _finder.callbacks[name] = callback


def surround(around: Around) -> None:
    """Have every callback called within a context that is made of its module."""
    _finder.around = around


def catch_up() -> None:
    """Call back for modules that were imported before anybody asked, in the order of their imports."""
    for name in [name for name in sys.modules if name in _finder.callbacks]:
        callback, module = _finder.callbacks.pop(name), sys.modules[name]
        with _finder.around(module):
            callback(module)


def forget(names: Iterable[str] | None = None) -> None:
    """Call nobody back any more."""
    for name in list(_finder.callbacks) if names is None else names:
        _finder.callbacks.pop(name, None)
    if not _finder.callbacks:
        _finder.around = contextlib.nullcontext
        sys.meta_path[:] = [one for one in sys.meta_path if one is not _finder]


def is_watched() -> bool:
    """Tell whether another copy of us, which somebody has carried in, listens in this process."""
    return any(type(one).__module__ == __name__ and one is not _finder for one in sys.meta_path)
