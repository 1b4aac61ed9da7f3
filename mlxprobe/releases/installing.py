"""Install a release of MLX into a folder with uv, and check that the files are those of the wheels."""

from __future__ import annotations

import os
import re
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path

from mlxprobe.releases import damage, index
from mlxprobe.releases.index import Release
from mlxprobe.schema.errors import NoWheelError, ProbeError, UnmetRequirementError
from mlxprobe.schema.metrics import signal_name
from mlxprobe.supervisor import errand
from mlxprobe.system import MAC

BUILD_WITHIN_S = 600
NO_WHEEL = r"\bmlx(-\w+)*(\[[^\]]*\])?=={version} has no wheels with a matching"  # words of uv's resolver
UNSATISFIABLE = "unsatisfiable"
SENTENCE = re.compile(r"""(?:(?<=\w\w)|(?<=[`)\]'"]))\.(?:\s+(?=[A-Z`])|$)""")
MOST_CHARACTERS = 400


def install(folder: Path, release: Release, requirements: Sequence[str], lock: int) -> dict[str, str]:
    """Make an environment with a release in a folder, and return its files' digests.

    Files are copied, not linked: damage done to an environment must not reach uv's cache. A cache entry that is damaged
    itself is removed and fetched again.

    Args:
        folder: an empty folder.
        release: a version or a wheel.
        requirements: further packages.
        lock: a descriptor that uv inherits, so that the lock outlives us while uv still writes.

    Raises:
        NoWheelError: the index has the release, and no wheel for this platform.
        UnmetRequirementError: it cannot be installed together with the requirements.
        ProbeError: it cannot be installed, with uv's reason.
    """
    for attempt in (1, 2):
        _once(folder, release, requirements, lock)
        found = damage.digests(folder)
        bad = damage.unlike_wheels(folder, found)
        if not bad:
            return found
        if attempt == 1:
            uv("cache", "clean", *bad)
            shutil.rmtree(folder)
            folder.mkdir()
    files = ", ".join(f"{name} ({file})" for name, file in bad.items())
    raise ProbeError(f"mlx {release.name}: installed files differ from the wheel's RECORD: {files}")


def _once(folder: Path, release: Release, requirements: Sequence[str], lock: int) -> None:
    backend = "" if MAC else "[cpu]"
    mlx = f"mlx{backend} @ {Path(release.wheel).as_uri()}" if release.wheel else f"mlx{backend}=={release.version}"
    uv("venv", "--quiet", "--relocatable", "--allow-existing", "--python", sys.executable, str(folder), lock=lock)
    words = ("pip", "install", "--quiet", "--link-mode", "copy", "--compile-bytecode")
    order = (*words, "--python", str(python_of(folder)), mlx, "numpy")
    try:
        uv(*order, lock=lock)
    except ProbeError as error:
        if _is_offline(error):
            raise ProbeError(f"mlx {release.name} cannot be installed: {index.OFFLINE_TOLD}") from None
        if release.version and re.search(NO_WHEEL.format(version=re.escape(release.version)), str(error)):
            raise NoWheelError(f"mlx {release.name} has no wheel for this platform: {_brief(error)}") from None
        raise ProbeError(f"mlx {release.name} cannot be installed: {_brief(error)}") from None
    if not requirements:
        return
    further = [word for one in requirements for word in (("--editable", one) if Path(one).is_dir() else (one,))]
    try:
        uv(*order, *further, lock=lock)
    except ProbeError as error:
        these = ", ".join(requirements)
        kind = UnmetRequirementError if UNSATISFIABLE in str(error) else ProbeError
        raise kind(f"mlx {release.name} cannot be installed with the requirements {these}: {_brief(error)}") from None


def uv(*order: str, lock: int = -1) -> None:
    """Run uv; it ends when we do.

    Raises:
        ProbeError: it fails, takes too long or is not installed; the message is its own.
    """
    try:
        from uv import find_uv_bin
    except ImportError:
        raise ProbeError("environments are built with uv, which is not installed here: pip install uv") from None
    kept = (lock,) if lock >= 0 else ()
    try:
        code, told = errand.run([find_uv_bin(), *order], BUILD_WITHIN_S, kept)
    except TimeoutError:
        raise ProbeError(f"uv {order[0]} took more than {BUILD_WITHIN_S} s") from None
    except OSError as error:
        raise ProbeError(f"uv cannot be run: {error.strerror}") from None
    if code:
        ending = f"was ended by {signal_name(-code)}" if code < 0 else f"ended with {code}"
        raise ProbeError(plain(told) or f"uv {order[0]} {ending}")


def _is_offline(error: ProbeError) -> bool:
    """Return whether uv found nothing because it may not ask: it says so in a hint, or of any release."""
    asked = os.environ.get("UV_OFFLINE", "").lower() in ("1", "true", "yes", "on", "t", "y")
    return index.OFFLINE in str(error) or (asked and UNSATISFIABLE in str(error))


def _brief(error: ProbeError) -> str:
    """Return the first sentence of what uv says; the others are hints for its own users."""
    return SENTENCE.split(str(error), maxsplit=1)[0][:MOST_CHARACTERS]


def plain(text: str) -> str:
    """Return what uv printed as one line: without its frames, each cause after a colon."""
    lines = [re.sub(r"^[\s×╰─▶│├]*(error: |hint: )?", "", line).strip() for line in text.splitlines()]
    return " ".join(filter(None, lines)).replace(" cause: ", ": ")


def python_of(folder: Path) -> Path:
    """Return the interpreter of an environment."""
    return folder / "bin" / "python"
