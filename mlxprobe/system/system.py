"""The present system, for reading processes from outside."""

from __future__ import annotations

from mlxprobe.system import LINUX
from mlxprobe.system.interface import Platform


def _chosen() -> Platform:
    if LINUX:
        from mlxprobe.system.linux import Linux

        return Linux()
    from mlxprobe.system.portable import Portable

    return Portable()


system = _chosen()
