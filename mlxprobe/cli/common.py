"""What all commands share: the group, the settings' flags, and how a report leaves."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

import click

import mlxprobe
from mlxprobe.errors import ProbeError
from mlxprobe.settings import TABLE

JUDGED_NOT, INTERRUPTED = 2, 130

Command = TypeVar("Command", bound=Callable[..., Any])


class Commands(click.Group):
    """Turn what mlxprobe raises into one sentence and exit code 2."""

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command."""
        try:
            return super().invoke(ctx)
        except ProbeError as error:
            click.echo(f"mlxprobe: {error}", err=True)
            ctx.exit(JUDGED_NOT)
        except KeyboardInterrupt:
            click.echo("mlxprobe: interrupted", err=True)
            ctx.exit(INTERRUPTED)


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(mlxprobe.__version__, prog_name="mlxprobe")
def main() -> None:
    """Find out why MLX training hangs, grows or does not learn; gate MLX upgrades."""


def with_settings(*names: str) -> Callable[[Command], Command]:
    """Give a command the flags of the settings it uses."""

    def decorate(command: Command) -> Command:
        for setting in reversed([one for one in TABLE if one.name in names]):
            many = setting.name == "scenarios"
            command = click.option(setting.flag, setting.name, multiple=many, help=setting.help)(command)
        return command

    return decorate


def with_scenarios(command: Command) -> Command:
    """Give a command `--scenario`."""
    return click.option(
        "--scenario",
        "patterns",
        multiple=True,
        metavar="NAME[/VARIANT]",
        help="Only this one, by name or glob; repeatable (default: all).",
    )(command)


def with_report(formats: Sequence[str]) -> Callable[[Command], Command]:
    """Give a command `--format` and `--output`."""

    def decorate(command: Command) -> Command:
        form = click.option(
            "--format",
            "form",
            type=click.Choice(formats),
            default="text",
            help="Form of the report (default: text).",
        )
        output = click.option(
            "--output",
            type=click.Path(dir_okay=False, path_type=Path),
            help="Write the report to this file, and its text to the terminal.",
        )
        return form(output(command))

    return decorate


def deliver(form: str, output: Path | None, render: Callable[[str], str], show: Callable[[], None]) -> None:
    """Write the report to `output` in its form and show its text; without a file, the terminal gets the form."""
    from mlxprobe.record import write

    if output is not None or form == "text":
        show()
    else:
        click.echo(render(form), nl=False)
    if output is not None:
        write(output, render(form).encode())


def tell(problem: str) -> None:
    """Say something on stderr."""
    click.echo(f"mlxprobe: {problem}", err=True)


def leave(code: int) -> None:
    """End the command."""
    sys.exit(code)
