"""The user's own programs: `[tool.mlxprobe.programs]`, or a command after `--`."""

from __future__ import annotations

import shlex
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from mlxprobe.schema.errors import UsageError
from mlxprobe.schema.observation import Environment, Value
from mlxprobe.settings.project import table_in
from mlxprobe.settings.validators import LEAST_S, MOST_S, NULL, seconds, shown
from mlxprobe.supervisor import interpreter

ASPECTS = ("outcome", "finding", "loss", "error", "peak", "memory", "time")


class UserProgram(Value, frozen=True):
    """A command to run on every release.

    Args:
        name: how reports call it.
        command: its words; the first is python, or a console script of the environment.
        folder: where it runs.
        environment: variables to add.
        compare: the aspects that count; all by default.
        timeout_s: seconds until it is ended; the setting's by default.
        stall_s: seconds without progress until it counts as stuck.
    """

    name: str
    command: tuple[str, ...]
    folder: str
    environment: dict[str, str] = {}
    compare: tuple[str, ...] = ASPECTS
    timeout_s: float = 600.0
    stall_s: float = 60.0


class _Row(msgspec.Struct, forbid_unknown_fields=True, rename="kebab"):
    command: str | list[str]
    folder: str = "."
    environment: dict[str, str] = {}
    compare: tuple[str, ...] = ASPECTS
    timeout_s: float = 600.0
    stall_limit_s: float = 60.0


def declared(file: Path | None, table: Mapping[str, Any]) -> list[UserProgram]:
    """Read `[tool.mlxprobe.programs]`.

    Raises:
        UsageError: a key is unknown, or a value has the wrong form; the message names the file and the program.
    """
    rows = table_in(table, "programs", f"{file}, [tool.mlxprobe]")
    return [_declared(file, name, given) for name, given in rows.items()]


def _declared(file: Path | None, name: str, given: Any) -> UserProgram:
    origin = f"{file}, [tool.mlxprobe.programs.{name if name.isprintable() else shown(name)}]"
    try:
        row = msgspec.convert(given, _Row)
    except msgspec.ValidationError as error:
        raise UsageError(f"{origin}: {' '.join(str(error).split())}") from None
    if unknown := set(row.compare) - set(ASPECTS):
        raise UsageError(f"{origin} compare: {sorted(unknown)[0]!r} is not one of {', '.join(ASPECTS)}")
    folder = (file.parent if file else Path.cwd()) / row.folder
    if NULL in row.folder or not folder.is_dir():
        place = str(folder) if str(folder).isprintable() else shown(row.folder)
        raise UsageError(f"{origin} folder: {place} does not exist")
    _check(name, row, origin)
    words = _words(row.command, origin)
    return UserProgram(
        name=name,
        command=tuple(words),
        folder=str(folder),
        environment=row.environment,
        compare=tuple(row.compare),
        timeout_s=row.timeout_s,
        stall_s=row.stall_limit_s,
    )


def _check(name: str, row: _Row, origin: str) -> None:
    """Check a program's name, aspects, variables and limits.

    Raises:
        UsageError: one is not right.
    """
    if not name.strip() or not name.isprintable():
        raise UsageError(f"{origin}: {shown(name)} is not a name")
    if not row.compare:
        raise UsageError(f"{origin} compare: is empty; right are some of {', '.join(ASPECTS)}, or no line")
    for variable, value in row.environment.items():
        if not variable or "=" in variable or NULL in variable + value:
            raise UsageError(f"{origin} environment: {shown(variable)} = {shown(value)} is not a variable")
    for key, limit in (("timeout-s", row.timeout_s), ("stall-limit-s", row.stall_limit_s)):
        try:
            seconds(limit)
        except ValueError:
            right = f"a number of seconds from {LEAST_S} to {MOST_S:g}"
            raise UsageError(f"{origin} {key}: {limit} is not {right}") from None


def _words(command: str | list[str], origin: str) -> list[str]:
    """Return the words of a command.

    Raises:
        UsageError: there is none, or a quotation does not end.
    """
    try:
        words = shlex.split(command) if isinstance(command, str) else command
    except ValueError as error:
        raise UsageError(f"{origin} command: {shown(command)}: {str(error).lower()}") from None
    if not words or not words[0] or any(NULL in word for word in words):
        raise UsageError(f"{origin} command: {shown(command)} is not a command, such as python train.py")
    return words


def ad_hoc(command: Sequence[str]) -> UserProgram:
    """Make a program of a command given after `--`.

    Raises:
        UsageError: its first word is empty.
    """
    if not command[0].strip():
        raise UsageError(f"--: {shlex.join(command)} is not a command, such as `python train.py`")
    named = [word for word in command[1:3] if word != "-m"] or command
    return UserProgram(name=Path(named[0]).name, command=tuple(command), folder=str(Path.cwd()))


def runnable(program: UserProgram, here: Environment) -> tuple[str, ...]:
    """Return what the agent is to run in an environment (see `agent_words`).

    Raises:
        UsageError: it has no such script, module or console script.
    """
    words = agent_words(program, here.executable)
    module = words[1] if words[0] == "module" else ""
    if module and (lacks := interpreter.missing(here.executable, module, program.folder, program.environment)):
        raise UsageError(without_module(here, lacks))
    return words


def without_module(here: Environment, module: str) -> str:
    """Say that an environment lacks a module, and what to do."""
    advice = "install it there, or name its package with --requirements"
    return f"{here.executable} (Python {here.python}, mlx {here.mlx}) has no module {module}; {advice}"


def agent_words(program: UserProgram, python: str) -> tuple[str, ...]:
    """Return what the agent is to run in an environment for a program's command.

    Raises:
        UsageError: the command is neither python with a script or module, nor a console script of the environment.
    """
    first, *rest = program.command
    if Path(first).name.startswith("python"):
        if rest[:1] == ["-m"] and len(rest) > 1:
            return ("module", *rest[1:])
        if rest and not rest[0].startswith("-"):
            if not (Path(program.folder) / rest[0]).is_file():
                raise UsageError(f"{program.name}: {Path(program.folder) / rest[0]} does not exist")
            return ("script", *rest)
        raise UsageError(
            f"{program.name}: {shlex.join(program.command)!r} is neither `python FILE` nor `python -m MODULE`"
        )
    found = shutil.which(first, path=str(Path(python).parent)) or shutil.which(first)
    if (
        found is None
        or not Path(found).read_bytes().startswith(b"#!")
        or b"python" not in Path(found).read_bytes()[:200]
    ):
        raise UsageError(f"{program.name}: {first!r} is neither python nor a Python console script of the environment")
    return ("script", found, *rest)
