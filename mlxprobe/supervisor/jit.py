"""Share MLX's compiled kernels between children, although each has a temporary folder of its own.

A child that is killed while the compiler writes would leave a truncated library behind, which fails for every later
program. So each child gets copies of what earlier ones completed, and only what a child that ended well added is kept.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import threading
from pathlib import Path

from mlxprobe.settings.table import cache_folder

PATTERNS = ("lib*.so", "mlx/**/lib*.so", "mlx/*/ptx/*")  # on the CPU up to MLX 0.28 and since; on CUDA


def lend(folder: Path, key: str) -> None:
    """Copy the kernels kept under `key` into a child's temporary folder."""
    if key:
        _copy(_kept(key), folder)


def keep(folder: Path, key: str) -> None:
    """Keep the kernels that a child has added."""
    if key:
        _copy(folder, _kept(key))


def _copy(source: Path, target: Path) -> None:
    """Copy what `target` has not, each moved into its place whole; a full disk loses nothing but kernels."""
    for library in (file for pattern in PATTERNS for file in source.glob(pattern)):
        place = target / library.relative_to(source)
        if place.exists():
            continue
        part = place.with_name(f".{os.getpid()}-{threading.get_ident()}")
        try:
            place.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(library, part)
            os.replace(part, place)
        except OSError:
            with contextlib.suppress(OSError):
                part.unlink()
            return


def _kept(key: str) -> Path:
    return cache_folder() / "kernels" / key
