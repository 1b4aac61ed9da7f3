"""Call back right before a package is imported for the first time, and right after one of its modules is."""

from __future__ import annotations

import contextlib
import sys
import threading
from collections.abc import Callable, Sequence
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import TYPE_CHECKING, Any, cast

from mlxprobe.agent.patching import ctrl_c

if TYPE_CHECKING:
    from importlib.abc import Loader

Callback = Callable[[Any], None]
Around = Callable[[Any], contextlib.AbstractContextManager[None]]


class _Loader:
    """Load as the original loader does, then call back.

    By its form alone: to import `importlib.abc` takes as long as all of the agent.
    """

    def __init__(self, loader: Any) -> None:
        self._loader = loader

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        with ctrl_c.HELD:
            _finder.begin(spec.name)
        module: ModuleType | None = self._loader.create_module(spec)
        return module

    def exec_module(self, module: ModuleType) -> None:
        self._loader.exec_module(module)
        module.__loader__ = self._loader
        with ctrl_c.HELD:
            _finder.end(module)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._loader, name)


class _Finder:
    def __init__(self) -> None:
        self.callbacks: dict[str, Callback] = {}
        self.begins: dict[str, Callable[[], None]] = {}  # by package
        self.around: Around = contextlib.nullcontext  # of every callback
        self._lock = threading.RLock()

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if fullname not in self.callbacks and _package(fullname) not in self.begins:
            return None
        with ctrl_c.HELD:
            found = (find(fullname, path, target) for find in self._others())
            spec = next((one for one in found if one is not None), None)
        if spec is not None and spec.loader is not None:  # a namespace has none
            spec.loader = cast("Loader", _Loader(spec.loader))
        return spec

    def _others(self) -> list[Callable[..., ModuleSpec | None]]:
        """List the finders that Python would ask next."""
        finders = list(sys.meta_path)
        later = finders[finders.index(self) + 1 :] if self in finders else []
        return [one.find_spec for one in later if hasattr(one, "find_spec")]

    def begin(self, name: str) -> None:
        """Call back where this is the first module of its package; other threads' imports of it wait until then."""
        package = _package(name)
        with self._lock:
            begin = self.begins.get(package)
            if begin is not None:
                self.begins[package] = _nothing  # the callback may import of it itself
                try:
                    begin()
                finally:
                    self.begins.pop(package, None)

    def end(self, module: Any) -> None:
        """Call back for a module that is complete: once, also where it is loaded again."""
        callback = self.callbacks.pop(module.__name__, None)
        if callback is not None:
            with self.around(module):
                callback(module)


_finder = _Finder()


def _nothing() -> None:
    pass


def _package(name: str) -> str:
    return name.partition(".")[0]


def _listen() -> None:
    if _finder not in sys.meta_path:
        sys.meta_path.insert(0, _finder)


def when_begun(package: str, callback: Callable[[], None]) -> None:
    """Call `callback()` right before the first module of a package is made, whichever that is."""
    _finder.begins[package] = callback
    _listen()


def when_imported(name: str, callback: Callback) -> None:
    """Call `callback(module)` right after `name` is imported for the first time."""
    _finder.callbacks[name] = callback
    _listen()


def surround(around: Around) -> None:
    """Have every callback called within a context that is made of its module."""
    _finder.around = around


def catch_up() -> None:
    """Call back for modules that were imported before, in the order in which callbacks were asked for."""
    for name in list(_finder.callbacks):
        module = sys.modules.get(name)
        if module is not None and not getattr(getattr(module, "__spec__", None), "_initializing", False):
            _finder.end(module)


def forget() -> None:
    """Cancel every callback."""
    _finder.callbacks.clear()
    _finder.begins.clear()
    _finder.around = contextlib.nullcontext
    sys.meta_path[:] = [one for one in sys.meta_path if one is not _finder]


def is_watched() -> bool:
    """Tell whether another copy of us, which somebody has carried in, listens in this process."""
    return any(type(one).__module__ == __name__ and one is not _finder for one in sys.meta_path)
