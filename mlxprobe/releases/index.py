"""Parse specifications of MLX releases, and list the releases of the package index."""

from __future__ import annotations

import importlib.util
import re
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from packaging.requirements import InvalidRequirement, Requirement
from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.utils import InvalidWheelFilename, canonicalize_name, parse_wheel_filename
from packaging.version import InvalidVersion, Version

from mlxprobe.schema.errors import ProbeError, UsageError
from mlxprobe.schema.observation import Value
from mlxprobe.system import MAC

ACCEPTED = "a release (0.31.2), mlx==0.31.2, a range (>=0.30,<0.32), latest, current, a wheel file, or python=PATH"
PYTHON = "python="
CURRENT = "current"  # the interpreter that runs mlxprobe, on whichever machine
OLDEST = Version("0.26.5")  # the first release whose Linux wheels import
LIST_WITHIN_S = 60
RETRIES = ("--retries", "2")  # with none pip does not say that the index cannot be reached
NO_VERSION = "no version of"  # words of uv's resolver
OFFLINE, OFFLINE_TOLD = "the network was disabled", "uv is offline, and its cache has not all that is needed"
_BROKEN = re.compile(r"connection broken by (.+): /")  # words of pip

Listing = Callable[[], list[str]]


class Release(Value, frozen=True):
    """One MLX to run: a version or a wheel file to install, or an interpreter that has it already."""

    name: str
    version: str = ""
    wheel: str = ""
    python: str = ""

    @property
    def is_interpreter(self) -> bool:
        """Return whether nothing has to be installed."""
        return bool(self.python)


def parse(spec: str, listing: Listing, *, pre: bool = False) -> list[Release]:
    """Turn what a user wrote into releases, the oldest first; a range gives several.

    Raises:
        UsageError: it is none of the accepted forms, or the index has nothing for it.
        ProbeError: the index does not answer.
    """
    spec = spec.strip()
    if spec == CURRENT:
        return [Release(name=CURRENT, python=sys.executable)]
    if spec.startswith(PYTHON):
        return [_interpreter(spec.removeprefix(PYTHON))]
    if re.match(r"[\w+.-]+://", spec):
        raise UsageError(f"{spec}: is an address; right is {ACCEPTED}")
    if spec.endswith(".whl"):
        return [_wheel(Path(spec))]
    if spec == "latest":
        return [_named(_known(listing, SpecifierSet(), pre, spec)[-1])]
    specifier = _specifier(spec)
    exact = re.fullmatch(r"===?([^*,]+)", str(specifier))
    return [_named(exact[1])] if exact else [_named(one) for one in _known(listing, specifier, pre, spec)]


def is_spec(text: str) -> bool:
    """Return whether a text has the form of a release, whether or not there is one."""
    if text in (CURRENT, "latest") or text.startswith(PYTHON) or text.endswith(".whl"):
        return True
    try:
        return bool(str(_specifier(text)))
    except UsageError:
        return False


def parse_one(spec: str, listing: Listing) -> Release:
    """Turn what a user wrote into the one release it must mean; of a range, the newest."""
    return parse(spec, listing)[-1]


def listed() -> list[str]:
    """Ask the configured package index for the releases that can be installed here, the oldest first.

    Raises:
        ProbeError: the index does not answer.
    """
    package = "mlx" if MAC else "mlx-cpu"
    order = [*_pip(), "index", "versions", package, "--pre", "--disable-pip-version-check", *RETRIES]
    try:
        done = subprocess.run(order, capture_output=True, text=True, timeout=LIST_WITHIN_S, check=False)
    except subprocess.TimeoutExpired:
        raise ProbeError(f"the package index did not list {package} in {LIST_WITHIN_S} s") from None
    found = re.search(r"^Available versions: (.+)$", done.stdout, re.MULTILINE)
    if not found and (why := _unreached(done.stderr)):
        raise ProbeError(f"the package index cannot be reached: {why}")
    if not found:
        last = re.sub(r"^\W*(error|cause): ", "", done.stderr.strip().rpartition("\n")[2], flags=re.IGNORECASE)
        raise ProbeError(f"the package index does not list {package}{f' ({last.strip()})' if last.strip() else ''}")
    return sorted((one for one in found[1].split(", ") if Version(one) >= OLDEST), key=Version)


def _unreached(told: str) -> str:
    """Return why pip or uv got no answer of the index, which pip calls a package that it does not find."""
    if broken := _BROKEN.search(told):
        reason = re.search(r"\[Errno -?\d+\] ([^'\")\]]+)", broken[1])
        return reason[1] if reason else re.split(r"[^\w ]", broken[1].lstrip("'\""))[0]
    return OFFLINE_TOLD if OFFLINE in told else ""


def _pip() -> list[str]:
    """Return the words that run pip with this interpreter; an environment that uv made has none of its own."""
    if importlib.util.find_spec("pip"):
        return [sys.executable, "-m", "pip"]
    try:
        from uv import find_uv_bin
    except ImportError:
        raise ProbeError("releases are listed with pip or uv, and neither is installed here: pip install uv") from None
    return [find_uv_bin(), "run", "--isolated", "--no-project", "--python", sys.executable, "--with", "pip", "pip"]


def ordered(releases: Sequence[Release]) -> list[Release]:
    """Sort releases by version and drop repeated ones; those without a version keep their place at the end."""
    unique = list({release.name: release for release in releases}.values())
    return sorted(unique, key=lambda one: (not one.version, Version(one.version or "0")))


def _known(listing: Listing, specifier: SpecifierSet, pre: bool, spec: str) -> list[str]:
    try:
        versions = listing()
    except ProbeError as error:
        raise ProbeError(
            f"{error}; name {'a release' if spec == 'latest' else 'the releases'} instead of {spec}"
        ) from None
    found = [one for one in versions if specifier.contains(one, prereleases=pre)]
    if not found:
        raise UsageError(f"no release of MLX fits {spec!r}; the index has {versions[0]} to {versions[-1]}")
    return found


def _specifier(spec: str) -> SpecifierSet:
    try:
        found = _read(spec)
    except (InvalidVersion, InvalidSpecifier, InvalidRequirement):
        found = SpecifierSet()
    if not str(found):
        raise UsageError(f"{spec!r} is not {ACCEPTED}")
    return found


def _read(spec: str) -> SpecifierSet:
    if re.match(r"\d", spec):
        return SpecifierSet(f"=={Version(spec)}")
    if not re.match(r"[A-Za-z]", spec):
        return SpecifierSet(spec)
    found = Requirement(spec)
    if canonicalize_name(found.name) != "mlx" or found.url or found.marker or found.extras - {"cpu"}:
        raise UsageError(f"{spec!r} is not a release of the package mlx; right is {ACCEPTED}")
    return found.specifier


def _named(version: str) -> Release:
    return Release(name=version, version=version)


def _interpreter(path: str) -> Release:
    if not Path(path).is_file():
        raise UsageError(f"python={path}: no such interpreter")
    return Release(name=f"python={path}", python=path)


def _wheel(file: Path) -> Release:
    if not file.is_file():
        raise UsageError(f"{file}: no such wheel file")
    try:
        package = parse_wheel_filename(file.name)[0]
    except InvalidWheelFilename as error:
        raise UsageError(f"{file}: not a wheel's name: {error}") from None
    if package != "mlx":
        raise UsageError(f"{file}: a wheel of {package}; right is a wheel of mlx")
    return Release(name=file.name, wheel=str(file.resolve()))
