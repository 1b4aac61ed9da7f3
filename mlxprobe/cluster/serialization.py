"""Serialize calls for another machine: values that belong to a machine are replaced by values of the other one.

A runner travels as its settings, an environment as its release, a scenario as its file's name and digest, an event as
the worker's own stop event.
"""

from __future__ import annotations

import hashlib
import io
import pickle
import threading
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from mlxprobe.catalogue.discovery import Entry, own_folder, read
from mlxprobe.releases.index import Release
from mlxprobe.runner.runner import Runner
from mlxprobe.schema.errors import ProbeError
from mlxprobe.schema.observation import Environment
from mlxprobe.settings.table import Settings

Made = tuple[Environment, Release, Settings]  # and what it was made of
Finder = Callable[..., Any]


def pack(call: Callable[..., Any], words: tuple[Any, ...], made: Sequence[Made]) -> bytes:
    """Pickle a call; `made` lists the release and settings of each environment."""
    parcel = io.BytesIO()
    _Packer(parcel, made).dump((call, words))
    return parcel.getvalue()


def unpack(parcel: bytes, finders: Mapping[str, Finder]) -> tuple[Callable[..., Any], tuple[Any, ...]]:
    """Return a pickled call; `finders` make, by kind, the values of this machine."""
    call, words = _Unpacker(io.BytesIO(parcel), finders).load()
    return call, words


class _Packer(pickle.Pickler):
    def __init__(self, parcel: io.BytesIO, made: Sequence[Made]) -> None:
        super().__init__(parcel)
        self._made = made

    def persistent_id(self, one: Any) -> tuple[str, Any] | None:
        if isinstance(one, Runner):
            return "runner", (one.settings, one.environment, one.label)
        if isinstance(one, Environment):
            return "environment", next(of for found, *of in self._made if found == one)
        if isinstance(one, Entry):
            return "scenario", (name_of(one.file), digest(one.file))
        if isinstance(one, threading.Event):
            return "stop", ()
        return None


class _Unpacker(pickle.Unpickler):
    def __init__(self, parcel: io.BytesIO, finders: Mapping[str, Finder]) -> None:
        super().__init__(parcel)
        self._finders = finders

    def persistent_load(self, pid: tuple[str, Any]) -> Any:
        kind, words = pid
        return self._finders[kind](*words)


def name_of(file: Path) -> str:
    """Name a scenario's file so that it is found on another machine: mlxprobe's own by what follows its folder."""
    file, own = file.resolve(), own_folder().resolve()
    return str(file.relative_to(own) if file.is_relative_to(own) else file)


def scenario(name: str, expected: str) -> Entry:
    """Return this machine's scenario of that name.

    Raises:
        ProbeError: it is not there, or another one.
    """
    file = own_folder() / name
    if not file.is_file():
        raise ProbeError(f"{file} does not exist; scenarios of your own must lie in the same place on every worker")
    if digest(file) != expected:
        raise ProbeError(f"{file} is not the same as where the programs were chosen")
    return read(file)


def digest(file: Path) -> str:
    """Return the digest of a file."""
    return hashlib.sha256(file.read_bytes()).hexdigest()
