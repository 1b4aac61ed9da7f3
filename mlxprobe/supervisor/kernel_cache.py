"""Share MLX's compiled kernels between children, although each has a temporary folder of its own.

A child that is killed while the compiler writes would leave a truncated library behind, which fails for every later
program. So each child gets copies of what earlier ones completed, and only what a child that ended well added is kept.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import threading
from collections.abc import Iterator
from pathlib import Path

from mlxprobe.settings.table import cache_folder

INSIDE = "mlx/*/ptx"  # CUDA's kernels are built inside the process, where no compiler is seen to run
LIBRARIES = "lib*.so", "mlx/**/lib*.so"  # on the CPU up to MLX 0.28 and since


class KernelBuilds:
    """The kernels that a program has built inside its own process; each takes seconds, and is progress."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._known_ns = self._newest_ns()

    def more(self) -> bool:
        """Check whether any have come since this was asked last."""
        before_ns, self._known_ns = self._known_ns, self._newest_ns()
        return self._known_ns > before_ns

    def _newest_ns(self) -> int:
        try:
            return max((place.stat().st_mtime_ns for place in self._folder.glob(INSIDE)), default=0)
        except OSError:
            return 0


def lend(folder: Path, key: str) -> None:
    """Put the kernels kept under `key` into a child's temporary folder.

    As links where that can be, for no compiler writes into a library that is there, and to copy a thousand of them
    takes longer than most programs.
    """
    if key:
        _copy(_kept(key), folder, links=True)


def keep(folder: Path, key: str) -> None:
    """Keep the kernels that a child has added."""
    if key:
        _copy(folder, _kept(key))


def _copy(source: Path, target: Path, *, links: bool = False) -> None:
    """Copy or link what `target` has not, each moved into its place whole; a full disk loses nothing but kernels."""
    for library in _kernels(source):
        place = target / library.relative_to(source)
        if place.exists():
            continue
        part = place.with_name(f".{os.getpid()}-{threading.get_ident()}")
        try:
            place.parent.mkdir(parents=True, exist_ok=True)
            _put(library, part, links=links)
            os.replace(part, place)
        except OSError:
            with contextlib.suppress(OSError):
                part.unlink()
            return


def _kernels(folder: Path) -> Iterator[Path]:
    """List a folder's kernels, on CUDA the list of a module's kernels before the module.

    MLX takes a module without its list for one that has no kernel, and the program that asks for one fails.
    """
    for pattern in LIBRARIES:
        yield from folder.glob(pattern)
    for module in folder.glob(f"{INSIDE}/**/*.ptx"):
        yield module.with_suffix(".txt")
        yield module


def _put(library: Path, place: Path, *, links: bool) -> None:
    if links:
        with contextlib.suppress(OSError):  # on another file system
            os.link(library, place)
            return
    shutil.copyfile(library, place)


def _kept(key: str) -> Path:
    return cache_folder() / "kernels" / key
