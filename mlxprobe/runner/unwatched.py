"""Say why nothing of a program was watched: which Python ran it, and what that Python lacks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from mlxprobe.schema.errors import MissingEnvironmentError
from mlxprobe.schema.metrics import signal_name
from mlxprobe.schema.program import is_python
from mlxprobe.supervisor import interpreter
from mlxprobe.supervisor.interpreter import Python, pythons
from mlxprobe.supervisor.start import Started

TAKES_A_WORD = {"-W", "-X"}  # of Python's options
NO_AGENT = "it started no Python, or one that did not load the agent (-I, -E, -S, or without our variables)"


class Unwatched(NamedTuple):
    """The reason; and whether the program could not have run: another Python, or a package, would be right."""

    reason: str
    misuse: bool = False


def explained(running: Started, *, importing: bool) -> Unwatched:
    """Say why no process of a program that has ended imported MLX."""
    child = running.child
    code = child.exit_code or 0
    return unwatched(running.program.command, child.pid, pythons(child.folder), code, importing=importing)


def unwatched(
    command: Sequence[str], pid: int, found: Sequence[Python], code: int, *, importing: bool = False
) -> Unwatched:
    """Say why no process of a command that has ended imported MLX.

    Args:
        command: its words.
        pid: its process.
        found: the Pythons that it started.
        code: its exit code.
        importing: whether a process had begun to import MLX.
    """
    how = f"it left with exit code {code}" if code > 0 else f"it was ended by {signal_name(-code)}" if code else ""
    if not found:
        return Unwatched(f"{how}; {NO_AGENT}" if how else NO_AGENT)
    python = next((one for one in found if one.pid == pid), found[-1])
    if python.is_too_old:
        return Unwatched(interpreter.too_old(python), misuse=True)
    module = module_of(command) if code == 1 and python.pid == pid else ""
    if module and (lacks := interpreter.missing(python.executable, module)):
        return Unwatched(f"{python} has no module {lacks}: install it there, or name another Python", misuse=True)
    if code > 0 and (problem := _problem(python)):
        return Unwatched(f"{problem}, or name another Python", misuse=True)
    if importing:
        return Unwatched(f"its import of MLX did not finish, run by {python}" + (f": {how}" if how else ""))
    return Unwatched(f"{how} before it imported MLX, run by {python}" if how else f"{python} did not import MLX")


def _problem(python: Python) -> str:
    """Say why a Python cannot import MLX; empty where it can."""
    try:
        found = interpreter.describe(python.executable)
    except MissingEnvironmentError as error:
        return str(error)
    return interpreter.without_mlx(found) if found.problem else ""


def module_of(command: Sequence[str]) -> str:
    """Return the module that `python -m MODULE` names; empty where a command is none."""
    first, *rest = command
    words = iter(rest if is_python(first) else ())
    for word in words:
        if word == "-m":
            return next(words, "")
        if word in TAKES_A_WORD:
            next(words, "")
        elif not word.startswith("-"):
            break
    return ""
