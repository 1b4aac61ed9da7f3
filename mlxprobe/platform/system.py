"""The system that we are on, as whoever looks at processes from outside asks it."""

from __future__ import annotations

from mlxprobe.platform import LINUX
from mlxprobe.platform.interface import Platform


def _chosen() -> Platform:
    if LINUX:
        from mlxprobe.platform.linux import Linux

        return Linux()
    from mlxprobe.platform.portable import Portable

    return Portable()


system = _chosen()
