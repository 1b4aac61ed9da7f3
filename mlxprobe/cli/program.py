"""The program that `watch` and `isolate` run, as the command line names it."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from mlxprobe.schema.errors import UsageError
from mlxprobe.schema.program import is_python


class Program(click.Command):
    """A command whose arguments are another program: options end at its name, and `--` says that it is a command."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Note whether the program came after `--`."""
        given = list(args)
        rest = super().parse_args(ctx, args)
        words = ctx.params.get("words", ())
        before = given[: len(given) - len(words)]
        ctx.params["is_command"] = bool(words) and before[-1:] == ["--"]
        return rest


def with_program(command: Any) -> Any:
    """Give a command the program's words, `-m` and `--python`."""
    for decorate in (
        click.argument("words", nargs=-1, type=click.UNPROCESSED, metavar="SCRIPT [ARGS]..."),
        click.option("-m", "is_module", is_flag=True, help="SCRIPT is a module, as for `python -m`."),
        click.option("--python", metavar="PATH", default=sys.executable, help="The interpreter (default: this one)."),
    ):
        command = decorate(command)
    return command


def command_of(words: Sequence[str], python: str, *, is_module: bool, is_command: bool) -> tuple[str, ...]:
    """Return the words to run.

    Raises:
        UsageError: there are none, or there is no such interpreter, command or script.
    """
    if not words:
        raise UsageError("there is no program to watch; `mlxprobe watch train.py` is right")
    if is_command:
        if is_python(words[0]) and words[1:] and not (words[1].startswith("-") or Path(words[1]).exists()):
            raise UsageError(f"{words[1]}: there is no such script; `{words[0]} -m MODULE` is for a module")
        return tuple(words)
    if shutil.which(python) is None:
        raise UsageError(f"--python {python}: there is no such interpreter; give the path of a Python that has MLX")
    if is_module:
        return (python, "-m", *words)
    script = Path(words[0])
    if not ((script.exists() and not script.is_dir()) or (script / "__main__.py").is_file()):  # it may be a pipe
        there = "is a folder without __main__.py" if script.is_dir() else "there is no such script"
        raise UsageError(f"{script}: {there}; `-m` is for a module, `--` for any other command")
    return (python, *words)
