"""The files of an `.npz` that MLX still reads when Python ends.

MLX reads them through Python, on threads of its own, and lets go of them there, after the value has come. Such a thread
that asks for Python when it is ending is ended in the middle of C++, and the process with it: `std::terminate`. A bare
program is gone before that; watched, it takes longer to end.
"""

from __future__ import annotations

import sys

from mlxprobe.agent.wire import bound

WITHIN_S = 0.1
PAUSE_S = 0.001


def let_go(within_s: float = WITHIN_S) -> None:
    """Wait until nobody holds a part of an archive any more, and `within_s` at most: the program may hold one."""
    archives = sys.modules.get("zipfile")
    if archives is None:
        return
    parts = [one for one in bound.get_objects() if isinstance(one, archives.ZipExtFile)]
    held = [bound.ref(one) for part in parts for one in (part, _file(part)) if one is not None]
    del parts
    until = bound.monotonic() + within_s
    while any(one() is not None for one in held) and bound.monotonic() < until:
        bound.sleep(PAUSE_S)  # which leaves Python to them


def _file(part: object) -> object:
    return getattr(getattr(part, "_fileobj", None), "_file", None)
