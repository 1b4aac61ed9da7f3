"""Our modules in a process that they were carried into: the program's own `mlxprobe`, if it has one, is another.

So what is imported by that name is the program's, at any time but while we import what is ours.
"""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator
from types import ModuleType

PACKAGE = "mlxprobe"
_withdrawn: dict[str, ModuleType] = {}


def withdraw() -> None:
    """Take our modules out of the program's sight."""
    _withdrawn.update(_taken_out())


@contextlib.contextmanager
def importable() -> Iterator[None]:
    """Let our modules be imported; where they were never withdrawn, they are anyway."""
    if not _withdrawn:
        yield
        return
    theirs = _taken_out()
    sys.modules.update(_withdrawn)
    try:
        yield
    finally:
        withdraw()
        sys.modules.update(theirs)


def _taken_out() -> dict[str, ModuleType]:
    names = [name for name in sys.modules if name.partition(".")[0] == PACKAGE]
    return {name: sys.modules.pop(name) for name in names}
