"""Write the bundle of a self-test: its record, versions and logs, without private names and paths."""

from __future__ import annotations

import importlib.metadata
import io
import platform
import re
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path

import msgspec

import mlxprobe
from mlxprobe.schema.reading import RECORD
from mlxprobe.schema.record import Record
from mlxprobe.schema.record_io import check_writable, encode, write
from mlxprobe.selftest.redaction import Private, of_this_machine

VERSIONS, LOG = "versions.txt", "log.txt"
OURS = ("mlx", "numpy")


class Bundle:
    """The file, rewritten after each part: an interrupted self-test keeps the finished parts."""

    def __init__(self, file: Path, texts: Mapping[str, str]) -> None:
        check_writable(file)
        self.file = file
        self._texts = texts
        self._private = of_this_machine()

    def keep(self, record: Record, log: Sequence[str]) -> None:
        """Write the record so far, the texts, and a line of the log for each program."""
        texts = {**self._texts, LOG: "".join(f"{line}\n" for line in log)}
        write(self.file, packed(record, texts, self._private))


def packed(record: Record, texts: Mapping[str, str], private: Private) -> bytes:
    """Return the bundle of a record and of texts by their files' names, without private names and paths."""
    plain = private.hidden(msgspec.to_builtins(record, str_keys=True))
    files = {RECORD: encode(msgspec.convert(plain, Record, strict=False, str_keys=True), indent=0)}
    files |= {name: private.hidden(text).encode() for name, text in texts.items()}
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as bundle:
        for name, data in files.items():
            bundle.writestr(name, data)
    return made.getvalue()


def versions() -> str:
    """Return the releases of MLX and of all that mlxprobe needs, and of the system."""
    wanted = {_plain(name) for name in (*OURS, *_needs())}
    found = {
        _plain(one.metadata["Name"]): one.version
        for one in importlib.metadata.distributions()
        if _plain(one.metadata["Name"]) in wanted or _plain(one.metadata["Name"]).startswith("mlx")
    }
    system = {"python": platform.python_version(), "system": platform.platform(), "machine": platform.machine()}
    told = {"mlxprobe": mlxprobe.__version__, **dict(sorted(found.items())), **system}
    return "".join(f"{name} {version}\n" for name, version in told.items())


def _needs() -> list[str]:
    try:
        told = importlib.metadata.requires("mlxprobe") or ()
    except importlib.metadata.PackageNotFoundError:  # it runs from its sources
        return []
    return [re.split(r"[^\w.-]", need)[0] for need in told]


def _plain(name: str | None) -> str:
    return re.sub(r"[-_.]+", "-", name or "").lower()
