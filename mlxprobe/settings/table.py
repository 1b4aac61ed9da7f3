"""ONE table of settings, and how a value is found: default < pyproject.toml < environment < flag."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from mlxprobe.schema.errors import UsageError
from mlxprobe.settings.dask_address import RIGHT, Address, address
from mlxprobe.settings.project import project_table
from mlxprobe.settings.validators import choice, folder, folders, is_path, packages, seconds, shown, size, whole
from mlxprobe.system import MAC, PORTABLE, VARIABLE


class Setting(NamedTuple):
    """A row of the table; `right` describes the values that `check` accepts, `usual` the default."""

    name: str
    flag: str
    check: Callable[[Any], Any]
    right: str
    help: str
    usual: str = ""
    default: Any = None

    def told(self, usual: str = "") -> str:
        """Return its help with its default; a command may have its own."""
        usual = usual or self.usual
        return f"{self.help} (default: {usual})." if usual else f"{self.help}."

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


SECONDS_WORDS = "a time from 1ms to 10000h, such as 90, 1.5s or 2min"
TABLE = (
    Setting(
        name="jobs",
        flag="--jobs",
        check=whole(1, 64),
        right="a whole number from 1 to 64",
        help="Programs at a time",
        usual="2, or 1 on one processor",
    ),
    Setting(
        name="timeout_s",
        flag="--timeout",
        check=seconds,
        right=SECONDS_WORDS,
        help="End a program after this time, moving or not",
        usual="60s; 240s on a GPU",
    ),
    Setting(
        name="stall_s",
        flag="--stall-limit",
        check=seconds,
        right=SECONDS_WORDS,
        help="Call a program stuck after this time without progress",
        usual="measured from the correct loop",
    ),
    Setting(
        name="memory",
        flag="--memory-limit",
        check=size,
        right="a size such as 4GB (at most 1 PiB), or a share of the machine's memory such as 40%",
        help="End a program at this resident memory",
        usual="40%",
    ),
    Setting(
        name="device",
        flag="--device",
        default="",
        check=choice("cpu", "gpu"),
        right="cpu or gpu",
        help="Run on this device, cpu or gpu",
        usual="MLX's own",
    ),
    Setting(
        name="scenarios",
        flag="--scenarios",
        default=(),
        check=folders,
        right="a folder, or a list of folders",
        help="Look for scenarios in this folder too; repeatable",
    ),
    Setting(
        name="reports",
        flag="--reports",
        default="reports",
        check=folder,
        right="a folder",
        help="Keep the latest record under this folder",
        usual="reports",
    ),
    Setting(
        name="requirements",
        flag="--requirements",
        default=(),
        check=packages,
        right="a list of requirements other than MLX, such as transformers>=4.40 or ./my_package",
        help="Also install this package with every MLX release; repeatable",
    ),
    Setting(
        name="on",
        flag="--on",
        check=address,
        right=RIGHT,
        help="Run on the workers of this Dask cluster, dask://HOST:PORT",
        usual="this machine",
    ),
)


@dataclass(frozen=True)
class Settings:
    """Every setting's value, checked."""

    jobs: int
    timeout_s: float | None
    stall_s: float | None
    memory: int | float | None
    device: str
    scenarios: tuple[str, ...]
    reports: str
    requirements: tuple[str, ...] = ()
    on: Address | None = None


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
    _check_variables(environ)
    values, projects = {}, set()
    for setting in TABLE:
        value, origin = setting.default, ""
        if setting.key in table:
            value, origin = table[setting.key], f"{file}, [tool.mlxprobe] {setting.key}"
        if setting.variable in environ:
            value, origin = environ[setting.variable], f"environment variable {setting.variable}"
        if flags.get(setting.name) not in (None, ()):
            value, origin = flags[setting.name], setting.flag
        if origin.startswith(str(file)):
            projects.add(setting.name)
        values[setting.name] = _checked(setting, value, origin) if origin else value
    values["jobs"] = values["jobs"] or default_jobs()
    if file is not None and "scenarios" in projects:
        values["scenarios"] = tuple(str(file.parent / entry) for entry in values["scenarios"])
    values["requirements"] = _absolute(values["requirements"], file if "requirements" in projects else None)
    return Settings(**values)


def _check_variables(environ: Mapping[str, str]) -> None:
    """Refuse a variable that is nearly called as a setting's, and a platform that there is not.

    Raises:
        UsageError: there is one.
    """
    variables = [setting.variable for setting in TABLE]
    if (given := environ.get(VARIABLE, "")) not in ("", PORTABLE):
        raise UsageError(f"environment variable {VARIABLE}: {given!r} is not right; it takes {PORTABLE!r}, or nothing")
    for name in sorted(name for name in environ if name.startswith("MLXPROBE_") and name not in (VARIABLE, *variables)):
        import difflib  # seldom: a program that is to be watched need not wait for it

        if meant := difflib.get_close_matches(name, variables, n=1, cutoff=0.85):
            raise UsageError(f"environment variable {name}: no such setting; did you mean {meant[0]}?")


def _absolute(requirements: Sequence[str], file: Path | None) -> tuple[str, ...]:
    """Make paths among the requirements absolute: a project's own are relative to its file.

    Raises:
        UsageError: a path does not exist.
    """
    base = file.parent if file is not None else Path.cwd()
    origin = f"{file}, [tool.mlxprobe] requirements" if file is not None else "--requirements"
    found = []
    for one in requirements:
        try:
            place = str((base / Path(one).expanduser()).resolve(strict=True)) if is_path(one) else one
        except (OSError, RuntimeError):  # RuntimeError: a user that does not exist, a ring of links
            raise UsageError(f"{origin}: {shown(one)} does not exist") from None
        found.append(place)
    return tuple(found)


def _checked(setting: Setting, value: Any, origin: str) -> Any:
    try:
        return setting.check(value)
    except (ValueError, TypeError):
        raise UsageError(f"{origin}: {shown(value)} is not {setting.right}") from None


def cache_folder() -> Path:
    """Return the user's cache folder for mlxprobe."""
    if MAC:
        return Path.home() / "Library" / "Caches" / "mlxprobe"
    given = os.environ.get("XDG_CACHE_HOME", "")  # to be ignored where it is relative, as its specification says
    return (Path(given) if os.path.isabs(given) else Path.home() / ".cache") / "mlxprobe"
