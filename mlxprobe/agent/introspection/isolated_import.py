"""Our modules in a process that they were carried into: the program's own `mlxprobe`, if it has one, is another.

So what is imported by that name is the program's, at any time but while we import what is ours.
"""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator
from types import ModuleType

from mlxprobe.agent.wire import bound

PACKAGE = "mlxprobe"
_withdrawn: dict[str, ModuleType] = {}
_importing_s = [0.0]  # so far, of the threads' time


def withdraw() -> None:
    """Take our modules out of the program's sight."""
    _withdrawn.update(_taken_out())


@contextlib.contextmanager
def importable() -> Iterator[None]:
    """Let our modules be imported; where they were never withdrawn, they are anyway."""
    began, theirs = bound.thread_time(), _taken_out() if _withdrawn else {}
    sys.modules.update(_withdrawn)
    try:
        yield
    finally:
        if _withdrawn:
            withdraw()
            sys.modules.update(theirs)
        _importing_s[0] += bound.thread_time() - began


def importing_s() -> float:
    """Return what these imports have taken so far: a price that is paid once, and tells nothing of the next look."""
    return _importing_s[0]


def _taken_out() -> dict[str, ModuleType]:
    names = [name for name in sys.modules if name.partition(".")[0] == PACKAGE]
    return {name: sys.modules.pop(name) for name in names}
