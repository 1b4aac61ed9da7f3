"""ONE table of settings, and how a value is found: default < pyproject.toml < environment < flag."""

from __future__ import annotations

import difflib
import os
import re
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mlxprobe.errors import UsageError

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

_BYTES = {"": 1, "k": 10**3, "m": 10**6, "g": 10**9, "t": 10**12, "ki": 2**10, "mi": 2**20, "gi": 2**30, "ti": 2**40}
_SECONDS = {"": 1.0, "ms": 1e-3, "s": 1.0, "min": 60.0, "h": 3600.0}


def whole(low: int, high: int) -> Callable[[Any], int]:
    """Return a check for whole numbers from `low` to `high`."""

    def check(value: Any) -> int:
        number = int(str(value))
        if not low <= number <= high:
            raise ValueError
        return number

    return check


def seconds(value: Any) -> float:
    """Read a time above zero, such as 90, 1.5s, 250ms or 2min."""
    found = re.fullmatch(r"([\d.]+)\s*([a-z]*)", str(value).strip().lower())
    if not found or found[2] not in _SECONDS or not 0 < float(found[1]) < 1e6:
        raise ValueError
    return float(found[1]) * _SECONDS[found[2]]


def size(value: Any) -> int | float:
    """Read a size in bytes, such as 4GB or 512MiB; or a share of the machine's memory, such as 40% (0.4)."""
    text = str(value).strip().lower()
    if text.endswith("%"):
        share = float(text[:-1]) / 100
        if not 0 < share <= 1:
            raise ValueError
        return share
    found = re.fullmatch(r"([\d.]+)\s*([kmgt]?i?)b?", text)
    if not found or found[2] not in _BYTES or float(found[1]) * _BYTES[found[2]] < 1:
        raise ValueError
    return int(float(found[1]) * _BYTES[found[2]])


def choice(*words: str) -> Callable[[Any], str]:
    """Return a check for one of `words`."""

    def check(value: Any) -> str:
        if value not in words:
            raise ValueError
        return str(value)

    return check


def folders(value: Any) -> tuple[str, ...]:
    """Read one folder or a list of folders; the environment separates them as PATH does."""
    given = value.split(os.pathsep) if isinstance(value, str) else value
    if not isinstance(given, (list, tuple)) or not all(isinstance(entry, str) for entry in given):
        raise ValueError
    return tuple(entry for entry in given if entry)


@dataclass(frozen=True)
class Setting:
    """A row of the table; `right` says in words what `check` accepts."""

    name: str
    flag: str
    default: Any
    check: Callable[[Any], Any]
    right: str
    help: str

    @property
    def key(self) -> str:
        """Its key in [tool.mlxprobe]."""
        return self.flag.lstrip("-")

    @property
    def variable(self) -> str:
        """Its environment variable."""
        return "MLXPROBE_" + self.key.upper().replace("-", "_")


def default_jobs() -> int:
    """Use at most two processors: the programs have threads of their own."""
    return min(2, len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1)


SECONDS_WORDS = "a time above zero, such as 90, 1.5s or 2min"
TABLE = (
    Setting(
        name="jobs",
        flag="--jobs",
        default=None,
        check=whole(1, 64),
        right="a whole number from 1 to 64",
        help="Programs at a time (default: 2, or 1 on one processor).",
    ),
    Setting(
        name="timeout_s",
        flag="--timeout",
        default=60.0,
        check=seconds,
        right=SECONDS_WORDS,
        help="End a program after this time, moving or not (default: 60s).",
    ),
    Setting(
        name="stall_s",
        flag="--stall-limit",
        default=None,
        check=seconds,
        right=SECONDS_WORDS,
        help="Call a program stuck after this time without progress (default: measured from the correct loop).",
    ),
    Setting(
        name="memory",
        flag="--memory-limit",
        default=0.4,
        check=size,
        right="a size such as 4GB, or a share of the machine's memory such as 40%",
        help="End a program at this resident memory (default: 40%).",
    ),
    Setting(
        name="device",
        flag="--device",
        default="",
        check=choice("cpu", "gpu"),
        right="cpu or gpu",
        help="Run on this device, cpu or gpu (default: MLX's own).",
    ),
    Setting(
        name="scenarios",
        flag="--scenarios",
        default=(),
        check=folders,
        right="a folder, or a list of folders",
        help="Look for scenarios in this folder too; repeatable.",
    ),
    Setting(
        name="reports",
        flag="--reports",
        default="reports",
        check=str,
        right="a folder",
        help="Keep the latest record under this folder (default: reports).",
    ),
)


@dataclass(frozen=True)
class Settings:
    """Every setting's value, checked."""

    jobs: int
    timeout_s: float
    stall_s: float | None
    memory: int | float
    device: str
    scenarios: tuple[str, ...]
    reports: str


def resolve(flags: Mapping[str, Any], environ: Mapping[str, str] = os.environ, start: Path | None = None) -> Settings:
    """Find every setting's value.

    Raises:
        UsageError: a value is out of range; the message names where it came from.
    """
    file, table = project_table(start or Path.cwd())
    unknown = table.keys() - {setting.key for setting in TABLE} - {"programs", "allow"}
    if unknown:
        known = ", ".join(sorted(setting.key for setting in TABLE))
        raise UsageError(f"{file}: [tool.mlxprobe] has no setting {sorted(unknown)[0]!r}; known are {known}")
    variables = [setting.variable for setting in TABLE]
    for name in sorted(set(environ) - set(variables)):
        if name.startswith("MLXPROBE_") and (meant := difflib.get_close_matches(name, variables, n=1, cutoff=0.85)):
            raise UsageError(f"environment variable {name}: no such setting; did you mean {meant[0]}?")
    values = {}
    for setting in TABLE:
        value, origin = setting.default, ""
        if setting.key in table:
            value, origin = table[setting.key], f"{file}, [tool.mlxprobe] {setting.key}"
        if setting.variable in environ:
            value, origin = environ[setting.variable], f"environment variable {setting.variable}"
        if flags.get(setting.name) not in (None, ()):
            value, origin = flags[setting.name], setting.flag
        values[setting.name] = _checked(setting, value, origin) if origin else value
    values["jobs"] = values["jobs"] or default_jobs()
    if file is not None and "scenarios" in table and values["scenarios"] == folders(table["scenarios"]):
        values["scenarios"] = tuple(str(file.parent / entry) for entry in values["scenarios"])
    return Settings(**values)


def _checked(setting: Setting, value: Any, origin: str) -> Any:
    try:
        return setting.check(value)
    except (ValueError, TypeError):
        raise UsageError(f"{origin}: {value!r} is not {setting.right}") from None


def project_table(start: Path) -> tuple[Path | None, dict[str, Any]]:
    """Find [tool.mlxprobe] in the pyproject.toml of `start` or the nearest folder above."""
    for folder in (start, *start.parents):
        file = folder / "pyproject.toml"
        if file.is_file():
            try:
                table = tomllib.loads(file.read_text(encoding="utf-8")).get("tool", {}).get("mlxprobe")
            except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
                raise UsageError(f"{file}: not a TOML file: {error}") from None
            if table is not None:
                return file, table
    return None, {}


def cache_folder() -> Path:
    """Return the user's cache folder for mlxprobe."""
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Caches" / "mlxprobe"
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "mlxprobe"
