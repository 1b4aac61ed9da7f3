"""CUDA's kernels, which MLX makes or loads when they are first needed: what that takes at a look is paid for once."""

from __future__ import annotations

import os
from collections.abc import Callable

AT_MOST_S = 30.0  # that are taken for the price of kernels, in all
LOADED_S, LOADS_S = 0.002, 3.0  # what looks like the loading of some that were made before; and of that in all
FOLDERS = ("TMPDIR", "TMP", "TEMP", "TEMPDIR")  # in the order in which C++ asks for them


class Kernels:
    """Tell by the folder that MLX keeps kernels in whether any have been made; on other devices there is none.

    Nothing tells of those that are there and only loaded, each in some milliseconds: what takes long is taken for that,
    for a while.
    """

    def __init__(self) -> None:
        self._folder: str | None = None
        self._left_s, self._loads_s = AT_MOST_S, LOADS_S

    def watch(self) -> Callable[[float], float]:
        """Return what is to be asked after a look that took so long: how much of that was the price of kernels."""
        before = self._changed_ns()

        def of(seconds: float) -> float:
            if self._changed_ns() == before:
                loaded_s = seconds if self._folder and LOADED_S < seconds <= self._loads_s else 0.0
                self._loads_s -= loaded_s
                return loaded_s
            if seconds > self._left_s:
                return 0.0
            self._left_s -= seconds
            return seconds

        return of

    def _changed_ns(self) -> int:
        if self._folder is None:
            self._folder = folder()
        try:
            return os.stat(self._folder).st_mtime_ns if self._folder else 0
        except OSError:
            return 0


def folder() -> str:
    """Return where MLX keeps CUDA's kernels; empty where there is no such device."""
    import mlx.core as mx

    cuda = getattr(mx, "cuda", None)
    if cuda is None or not cuda.is_available():
        return ""
    temporary = next((os.environ[name] for name in FOLDERS if os.environ.get(name)), "/tmp")  # noqa: S108
    return os.environ.get("MLX_PTX_CACHE_DIR") or f"{temporary}/mlx/{mx.__version__}/ptx"
