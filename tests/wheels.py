"""Wheels of packages that need no network: fake releases of MLX, and what a project may require."""

from __future__ import annotations

import zipfile
from pathlib import Path

CORE = """
__version__ = "{version}"
class Kind:
    name = "cpu"
cpu, gpu = Kind(), object()
class device: type = cpu
default_device = lambda: device
is_available = lambda kind: kind is cpu
ones = lambda shape: 1
eval = lambda *args: None
"""


def wheel(folder: Path, name: str, version: str, files: dict[str, str], requires: str = "") -> None:
    stem = f"{name}-{version}"
    with zipfile.ZipFile(folder / f"{stem}-py3-none-any.whl", "w") as archive:
        for path, text in files.items():
            archive.writestr(path, text)
        metadata = f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\nProvides-Extra: cpu\n{requires}"
        archive.writestr(f"{stem}.dist-info/METADATA", metadata)
        archive.writestr(f"{stem}.dist-info/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        archive.writestr(f"{stem}.dist-info/RECORD", "")
