"""Wheels of packages that need no network: fake releases of MLX, and what a project may require."""

from __future__ import annotations

import base64
import hashlib
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


def wheel(
    folder: Path, name: str, version: str, files: dict[str, str], requires: str = "", tag: str = "py3-none-any"
) -> None:
    stem, rows = f"{name}-{version}", list[str]()
    with zipfile.ZipFile(folder / f"{stem}-{tag}.whl", "w") as archive:
        for path, text in files.items():
            archive.writestr(path, text)
            digest = base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).rstrip(b"=").decode()
            rows.append(f"{path},sha256={digest},{len(text.encode())}")
        metadata = f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\nProvides-Extra: cpu\n{requires}"
        archive.writestr(f"{stem}.dist-info/METADATA", metadata)
        archive.writestr(f"{stem}.dist-info/WHEEL", f"Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: {tag}\n")
        rows += [f"{stem}.dist-info/{file},," for file in ("METADATA", "WHEEL", "RECORD")]
        archive.writestr(f"{stem}.dist-info/RECORD", "\n".join(rows) + "\n")
