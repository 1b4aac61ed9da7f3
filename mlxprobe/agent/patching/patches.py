"""What installing the agent has replaced, found by comparison, so that nothing can be forgotten when it leaves."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import CellType, ModuleType
from typing import Any

ABSENT = object()
OURS = "mlxprobe"


class Patches:
    """Compare modules, their submodules and classes before and after something is installed; put all of it back."""

    def __init__(self) -> None:
        self._found: list[tuple[Any, str, Any, Any]] = []  # owner, name, before, after
        self._cells: list[tuple[CellType, Any]] = []

    @contextmanager
    def noted(self, *modules: ModuleType) -> Iterator[None]:
        """Note what is replaced meanwhile."""
        before = [(owner, dict(vars(owner))) for module in modules for owner in _owners(module)]
        try:
            yield
        finally:
            for owner, held in before:
                for name, now in list(vars(owner).items()):
                    if (then := held.get(name, ABSENT)) is not now:
                        self._found.append((owner, name, then, now))

    def spread(self) -> None:
        """Put what has replaced a function of a module's into every module that had imported it by name."""
        known = {id(then): (then, now) for owner, _, then, now in self._found if _is_function(owner, then)}
        for module in list(sys.modules.values()):
            if isinstance(module, ModuleType) and module.__name__.partition(".")[0] != OURS:
                for name, one in list(vars(module).items()):
                    then, now = known.get(id(one), (ABSENT, None))
                    if then is one:
                        setattr(module, name, now)
                        self._found.append((module, name, then, now))

    def fill(self, cell: CellType, content: Any) -> None:
        """Replace what a closure holds."""
        self._cells.append((cell, cell.cell_contents))
        cell.cell_contents = content

    def undo(self) -> None:
        """Put everything back, but what somebody else has replaced since."""
        for owner, name, then, now in reversed(self._found):
            if vars(owner).get(name, ABSENT) is now:
                if then is ABSENT:
                    delattr(owner, name)
                else:
                    setattr(owner, name, then)
        for cell, content in reversed(self._cells):
            cell.cell_contents = content
        self._found.clear()
        self._cells.clear()


def _is_function(owner: Any, one: Any) -> bool:
    return isinstance(owner, ModuleType) and callable(one) and owner.__name__.startswith("mlx.")


def _owners(module: ModuleType) -> list[Any]:
    """Return a module, its submodules that come with it (`mx.fast`), and the classes of all of them."""
    inner = [
        one
        for one in vars(module).values()
        if isinstance(one, ModuleType) and one.__name__.startswith(f"{module.__name__}.") and not _has_file(one)
    ]
    modules = [module, *inner]
    classes = {id(one): one for each in modules for one in vars(each).values() if isinstance(one, type)}
    return [*modules, *(one for one in classes.values() if one.__module__.partition(".")[0] != "builtins")]


def _has_file(module: ModuleType) -> bool:
    return getattr(module, "__file__", None) is not None
