"""One cached environment per MLX release, Python and platform; built whole or not at all.

A build happens in a folder of its own, is checked by importing MLX, and then takes its place by a rename: what bears
the right name is complete. A lock file makes a second process wait for the first one's build instead of repeating it.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import platform
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import msgspec

from mlxprobe.platform import MAC, NAME
from mlxprobe.releases.index import Release
from mlxprobe.settings.table import cache_folder
from mlxprobe.supervisor import interpreter
from mlxprobe.values.errors import ProbeError
from mlxprobe.values.observation import Environment, Value

BUILD_WITHIN_S = 600
DESCRIPTION = "mlxprobe.json"


class NotInstallableError(ProbeError):
    """A release cannot be installed here; the message is the reason."""


class UnmetRequirementError(NotInstallableError):
    """A release can be installed here, but not together with what the project requires."""


class Cached(Value, frozen=True):
    """What stands in a cached environment's description."""

    release: str
    environment: Environment
    files: dict[str, int]


class Listed(Value, frozen=True):
    """A cached environment as `mlxprobe envs` shows it; sizes in bytes, age in seconds since its last use."""

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
        NotInstallableError: the release cannot be installed, with the installer's reason; an UnmetRequirementError
            where it is a requirement that cannot.
        MissingEnvironmentError: a given interpreter has no usable MLX.
        ProbeError: the cache cannot be written.
    """
    if release.is_interpreter:
        return interpreter.usable(release.python)
    folder = root() / key_of(release, requirements)
    if (ready := _ready(folder)) is not None:
        return ready
    try:
        with _locked(folder):
            return _ready(folder) or _build(folder, release, requirements)
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
    parts = [version, NAME, platform.machine(), release.wheel, *sorted(requirements)]
    for local in filter(is_local, [release.wheel, *sorted(requirements)]):
        parts += [str(file.stat().st_mtime_ns) for file in _deciding(Path(local))]
    digest = hashlib.sha256("\n".join(parts).encode()).hexdigest()[:10]
    return f"mlx-{release.version or Path(release.wheel).stem}-py{sys.version_info[0]}{sys.version_info[1]}-{digest}"


def is_local(requirement: str) -> bool:
    """Tell whether a requirement is a path."""
    return Path(requirement).is_absolute()


def _deciding(place: Path) -> list[Path]:
    """Return the files whose change makes an environment stale: a wheel; of a project's folder what declares it."""
    if place.is_dir():
        return [file for name in ("pyproject.toml", "setup.py", "setup.cfg") if (file := place / name).is_file()]
    return [place]


def installed() -> list[Listed]:
    """List the cached environments, the least recently used first."""
    found = []
    for folder in root().glob("mlx-*"):
        cached = _description(folder)
        if cached is not None:
            size = sum(file.lstat().st_size for file in folder.rglob("*") if not file.is_dir())
            age_s = time.time() - (folder / DESCRIPTION).stat().st_mtime
            found.append(
                Listed(
                    folder=str(folder),
                    release=cached.release,
                    python=cached.environment.python,
                    size_bytes=size,
                    age_s=age_s,
                )
            )
    return sorted(found, key=lambda one: -one.age_s)


def remove(folder: Path) -> None:
    """Remove a cached environment; while it is being built, wait for that first."""
    with _locked(folder):
        _discard(folder)


def _ready(folder: Path) -> Environment | None:
    """Return a complete environment's description; None where there is none, or where files of MLX are missing."""
    cached = _description(folder)
    if cached is None or _mlx_files(folder) != cached.files or not Path(cached.environment.executable).exists():
        return None
    with contextlib.suppress(OSError):
        os.utime(folder / DESCRIPTION)
    return cached.environment


def _description(folder: Path) -> Cached | None:
    try:
        return msgspec.json.decode((folder / DESCRIPTION).read_bytes(), type=Cached)
    except (OSError, msgspec.DecodeError, msgspec.ValidationError):
        return None


def _build(folder: Path, release: Release, requirements: Sequence[str]) -> Environment:
    _discard(folder)  # corrupted, or half removed
    building = Path(tempfile.mkdtemp(dir=folder.parent, prefix=".building-"))
    try:
        _install(building, release, requirements)
        shown = interpreter.describe(str(python_of(building)))
        if shown.problem:
            raise NotInstallableError(f"mlx {release.name} installs but does not import: {shown.problem}")
        here = msgspec.structs.replace(shown, executable=str(python_of(folder)))
        cached = Cached(release=release.name, environment=here, files=_mlx_files(building))
        (building / DESCRIPTION).write_bytes(msgspec.json.encode(cached))
        building.rename(folder)
    finally:
        shutil.rmtree(building, ignore_errors=True)
    return here


def _install(folder: Path, release: Release, requirements: Sequence[str]) -> None:
    backend = "" if MAC else "[cpu]"
    mlx = f"mlx{backend} @ {Path(release.wheel).as_uri()}" if release.wheel else f"mlx{backend}=={release.version}"
    _uv("venv", "--quiet", "--relocatable", "--allow-existing", "--python", sys.executable, str(folder))
    install = ("pip", "install", "--quiet", "--python", str(python_of(folder)), mlx, "numpy")
    _uv(*install)
    if not requirements:
        return
    further = [word for one in requirements for word in (("--editable", one) if Path(one).is_dir() else (one,))]
    try:
        _uv(*install, *further)
    except NotInstallableError as error:
        told = f"mlx {release.name} cannot be installed with the requirements {', '.join(requirements)}: {error}"
        raise UnmetRequirementError(told) from None


def _uv(*order: str) -> None:
    try:
        from uv import find_uv_bin
    except ImportError:
        raise ProbeError("environments are built with uv, which is not installed here: pip install uv") from None
    try:
        done = subprocess.run(
            [find_uv_bin(), *order], capture_output=True, text=True, timeout=BUILD_WITHIN_S, check=False
        )
    except subprocess.TimeoutExpired:
        raise NotInstallableError(f"uv {order[0]} took more than {BUILD_WITHIN_S} s") from None
    if done.returncode:
        lines = [line.strip(" ×╰─▶│├hint:") for line in done.stderr.splitlines() if line.strip()]
        raise NotInstallableError(" ".join(lines)[:400] or f"uv {order[0]} ended with {done.returncode}")


def python_of(folder: Path) -> Path:
    """Return the interpreter of an environment."""
    return folder / "bin" / "python"


def _mlx_files(folder: Path) -> dict[str, int]:
    """Return the size of every file of MLX's native part, by which damage is noticed at once."""
    return {
        file.name: file.stat().st_size
        for file in folder.glob("lib/python*/site-packages/mlx/**/*")
        if file.suffix in (".so", ".dylib", ".metallib")
    }


def _discard(folder: Path) -> None:
    """Move an environment out of its place first, so that nobody meets it half removed."""
    if folder.exists():
        doomed = Path(tempfile.mkdtemp(dir=folder.parent, prefix=".removed-"))
        folder.rename(doomed / folder.name)
        shutil.rmtree(doomed, ignore_errors=True)


@contextlib.contextmanager
def _locked(folder: Path) -> Iterator[None]:
    folder.parent.mkdir(parents=True, exist_ok=True)
    with (folder.parent / f".{folder.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
