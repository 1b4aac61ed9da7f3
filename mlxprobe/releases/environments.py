"""One cached environment per MLX release, Python and platform; built whole or not at all.

A build happens in a folder of its own, is checked by importing MLX, and then takes its place by a rename: a folder with
the final name is complete. A lock file makes a second process wait for the first one's build instead of repeating it.
uv inherits the lock: what a killed build leaves is removed once its uv has ended, by the next build or by `envs`.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import platform
import re
import shutil
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import msgspec

from mlxprobe.releases.damage import damaged
from mlxprobe.releases.index import Release
from mlxprobe.releases.installing import install, python_of
from mlxprobe.schema.errors import BrokenReleaseError, DiedImportingError, ProbeError
from mlxprobe.schema.observation import Environment, Value
from mlxprobe.schema.record_io import without_waiting
from mlxprobe.settings.table import cache_folder
from mlxprobe.supervisor import interpreter
from mlxprobe.system import NAME

DESCRIPTION = "mlxprobe.json"
FORMAT = "2"  # of the description: versions of mlxprobe that read another have environments of their own
VERSION = re.compile(r"\d+(\.\d+)+")
BUILDING, REMOVED = ".building-", ".removed-"


class Cached(Value, frozen=True):
    """The description in a cached environment; `files` are the digests of all its files."""

    release: str
    environment: Environment
    files: dict[str, str]


class Listed(Value, frozen=True):
    """A cached environment as `mlxprobe envs` shows it; sizes in bytes, age in seconds since its last use.

    Without a `python` it is unusable: an interrupted build, or one whose description is damaged.
    """

    folder: str
    release: str
    python: str
    size_bytes: int
    age_s: float


def provide(release: Release, requirements: Sequence[str] = ()) -> Environment:
    """Return an environment with this release, built now or before.

    Args:
        release: what to install, or an interpreter that is taken as it is.
        requirements: further packages that the programs need; an interpreter has them, or has them not.

    Raises:
        NoWheelError: the index has no wheel of the release for this platform.
        BrokenReleaseError: the release installs, and does not import.
        MissingEnvironmentError: a given interpreter has no usable MLX.
        ProbeError: the release, or a requirement, cannot be installed; the cache cannot be written.
    """
    if release.is_interpreter:
        return interpreter.usable(release.python)
    folder = root() / key_of(release, requirements)
    if (ready := _ready(folder)) is not None:
        return ready
    try:
        with _locked(folder) as lock:
            return _ready(folder) or _build(folder, release, requirements, lock)
    except OSError as error:
        raise ProbeError(
            f"{folder}: cannot be written: {error.strerror}; free space there, or set XDG_CACHE_HOME"
        ) from None


def root() -> Path:
    """Return the folder of all cached environments."""
    return cache_folder() / "envs"


def key_of(release: Release, requirements: Sequence[str] = ()) -> str:
    """Name an environment by what decides its contents."""
    version = f"{sys.implementation.name}-{platform.python_version()}"
    parts = [FORMAT, version, NAME, platform.machine(), release.wheel, *sorted(requirements)]
    for local in filter(is_local, [release.wheel, *sorted(requirements)]):
        parts += [str(file.stat().st_mtime_ns) for file in _deciding(Path(local))]
    digest = hashlib.sha256("\n".join(parts).encode()).hexdigest()[:10]
    return f"mlx-{release.version or Path(release.wheel).stem}-py{sys.version_info[0]}{sys.version_info[1]}-{digest}"


def is_local(requirement: str) -> bool:
    """Return whether a requirement is a path."""
    return Path(requirement).is_absolute()


def _deciding(place: Path) -> list[Path]:
    """Return the files whose change makes an environment stale: a wheel; of a project's folder what declares it."""
    if place.is_dir():
        return [file for name in ("pyproject.toml", "setup.py", "setup.cfg") if (file := place / name).is_file()]
    return [place]


def installed() -> list[Listed]:
    """List the cached environments and what interrupted builds left, the least recently used first."""
    found = []
    for folder in _folders():
        cached = _description(folder)
        size, used_s = 0, folder.lstat().st_mtime
        for file in folder.rglob("*"):
            with contextlib.suppress(OSError):  # a build may go on there
                size += 0 if file.is_dir() else file.lstat().st_size
        with contextlib.suppress(OSError):
            used_s = (folder / DESCRIPTION).stat().st_mtime
        found.append(
            Listed(
                folder=str(folder),
                release=cached.release if cached else _release_in(folder.name),
                python=cached.environment.python if cached else "",
                size_bytes=size,
                age_s=time.time() - used_s,
            )
        )
    return sorted(found, key=lambda one: -one.age_s)


def _folders() -> list[Path]:
    patterns = ("mlx-*", f"{BUILDING}*", f"{REMOVED}*")
    return [folder for pattern in patterns for folder in root().glob(pattern) if folder.is_dir()]


def _release_in(name: str) -> str:
    found = re.search(r"mlx-(.+)-py\d+-\w+$", name)
    return found[1] if found else "unknown"


def remove(folder: Path) -> None:
    """Remove a cached environment, or what is left of a build; while it is being built, wait for that first."""
    place = folder.with_name(folder.name.removeprefix(BUILDING).removeprefix(REMOVED))
    with _locked(place):
        _discard(place)
        shutil.rmtree(folder, ignore_errors=True)


def _ready(folder: Path) -> Environment | None:
    """Return a complete environment's description; None where there is none, or where a file of it is damaged."""
    cached = _description(folder)
    if cached is None or not Path(cached.environment.executable).exists() or damaged(folder, cached.files):
        return None
    asked = _release_in(folder.name)
    if VERSION.fullmatch(asked) and cached.environment.mlx != asked:
        return None  # a folder that was copied or renamed
    with contextlib.suppress(OSError):
        os.utime(folder / DESCRIPTION)
    return cached.environment


def _description(folder: Path) -> Cached | None:
    file = folder / DESCRIPTION
    try:
        return msgspec.json.decode(file.read_bytes(), type=Cached) if file.is_file() else None
    except (OSError, msgspec.DecodeError, msgspec.ValidationError):
        return None


def _build(folder: Path, release: Release, requirements: Sequence[str], lock: int) -> Environment:
    _discard(folder)  # damaged, or what an interrupted build left
    building = folder.with_name(BUILDING + folder.name)
    building.mkdir()
    try:
        files = install(building, release, requirements, lock)
        here = msgspec.structs.replace(_imported(building, release), executable=str(python_of(folder)))
        cached = Cached(release=release.name, environment=here, files=files)
        (building / DESCRIPTION).write_bytes(msgspec.json.encode(cached))
        building.rename(folder)
    finally:
        shutil.rmtree(building, ignore_errors=True)
    return here


def _imported(building: Path, release: Release) -> Environment:
    """Import MLX in a new environment, whose files are known to be intact.

    Raises:
        BrokenReleaseError: that raises, or a signal ends the interpreter.
    """
    try:
        shown = interpreter.describe(str(python_of(building)))
        problem = shown.problem
    except DiedImportingError as error:
        problem = str(error)
    if problem:
        raise BrokenReleaseError(f"mlx {release.name} installs but does not import: {problem}")
    return shown


def _discard(folder: Path) -> None:
    """Remove an environment and what is left of builds of it; move it away first, so that none is seen half removed."""
    doomed = folder.with_name(REMOVED + folder.name)
    for one in (doomed, folder.with_name(BUILDING + folder.name)):
        shutil.rmtree(one, ignore_errors=True)
    if folder.exists():
        folder.rename(doomed)
        shutil.rmtree(doomed, ignore_errors=True)


@contextlib.contextmanager
def _locked(folder: Path) -> Iterator[int]:
    """Hold an environment's lock, which goes with the environment; take it again where it went while we waited."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    file = folder.with_name(f".{folder.name}.lock")
    while True:
        with open(file, "w", opener=without_waiting) as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not _is_at(lock.fileno(), file):
                continue
            try:
                yield lock.fileno()
            finally:
                if not folder.exists():
                    file.unlink(missing_ok=True)
            return


def _is_at(fd: int, file: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(fd), file.stat())
    except FileNotFoundError:
        return False
