"""Arguments in, exit code out; the only module that prints."""

from __future__ import annotations

import datetime
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

import mlxprobe
from mlxprobe.errors import ProbeError
from mlxprobe.settings import TABLE, resolve

JUDGED_NOT, INTERRUPTED = 2, 130
FORMAT_NAMES = ("text", "json", "markdown", "junit")


class Commands(click.Group):
    """Turn what mlxprobe raises into one sentence and exit code 2."""

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command."""
        try:
            return super().invoke(ctx)
        except ProbeError as error:
            click.echo(f"mlxprobe: {error}", err=True)
            ctx.exit(JUDGED_NOT)


def with_settings(*names: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Give a command the flags of the settings it uses."""

    def decorate(command: Callable[..., Any]) -> Callable[..., Any]:
        for setting in reversed([one for one in TABLE if one.name in names]):
            many = setting.name == "scenarios"
            command = click.option(setting.flag, setting.name, multiple=many, help=setting.help)(command)
        return command

    return decorate


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(mlxprobe.__version__, prog_name="mlxprobe")
def main() -> None:
    """Find out why MLX training hangs, grows or does not learn."""


@main.command()
@click.option(
    "--scenario",
    "patterns",
    multiple=True,
    metavar="NAME[/VARIANT]",
    help="Run this one, by name or glob; repeatable (default: all).",
)
@click.option(
    "--format", "form", type=click.Choice(FORMAT_NAMES), default="text", help="Form of the report (default: text)."
)
@click.option(
    "--output",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Write the report to this file, and its text to the terminal.",
)
@with_settings("jobs", "timeout_s", "stall_s", "memory", "device", "scenarios", "reports")
def run(patterns: tuple[str, ...], form: str, output: Path | None, **flags: Any) -> None:
    """Run scenarios and say which failure modes are real here."""
    from mlxprobe import catalogue, environment
    from mlxprobe.display import Display, console
    from mlxprobe.model import Record
    from mlxprobe.record import SCHEMA_VERSION, encode, write
    from mlxprobe.reports import FORMATS, text
    from mlxprobe.runner import Runner, exit_code

    settings = resolve(flags)
    entries, broken = catalogue.find(settings.scenarios)
    chosen = catalogue.select(entries, patterns)
    here = environment.usable(device=settings.device)
    began = time.monotonic()
    with Display() as display:
        runner = Runner(settings, here, display)
        rows = runner.run(chosen)
    record = Record(
        schema_version=SCHEMA_VERSION,
        mlxprobe=mlxprobe.__version__,
        time=datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds"),
        environment=here,
        programs=tuple(rows),
        complete=not runner.stop.is_set(),
        wall_s=time.monotonic() - began,
        problems=tuple(one.problem for one in broken),
    )
    if output is not None:
        write(output, FORMATS[form](record).encode())
    if output is not None or form == "text":
        console().print(text.renderable(record))
    else:
        click.echo(FORMATS[form](record), nl=False)
    for one in broken:
        click.echo(f"mlxprobe: {one.problem}", err=True)
    write(Path(settings.reports) / "latest" / "record.json", encode(record))
    if runner.stop.is_set():
        sys.exit(INTERRUPTED)
    sys.exit(JUDGED_NOT if broken else exit_code(rows))


@main.command("list")
@with_settings("scenarios")
def list_(**flags: Any) -> None:
    """List every scenario and its variants."""
    from mlxprobe import catalogue

    entries, broken = catalogue.find(resolve(flags).scenarios)
    for entry in entries:
        click.echo(f"{click.style(entry.name, bold=True)}  {entry.title}")
        for variant in entry.variants:
            click.echo(f"    {variant.name}  ({variant.role})")
    for one in broken:
        click.echo(f"mlxprobe: {one.problem}", err=True)
    sys.exit(JUDGED_NOT if broken else 0)


@main.command()
@click.argument("name", metavar="NAME[/VARIANT]")
@with_settings("scenarios")
def show(name: str, **flags: Any) -> None:
    """Show a scenario: symptom, cause, fix, broken and correct code side by side."""
    from mlxprobe import catalogue
    from mlxprobe.display import console
    from mlxprobe.reports import page

    entries, _ = catalogue.find(resolve(flags).scenarios)
    for entry, variants in catalogue.select(entries, [name]):
        console().print(page.scenario(entry, variants, console().width))


@main.command()
@click.argument("code")
def explain(code: str) -> None:
    """Explain a finding code, such as MP101."""
    from mlxprobe.diagnosis import RULES
    from mlxprobe.display import console
    from mlxprobe.errors import UsageError
    from mlxprobe.reports import page

    if code.upper() not in RULES:
        raise UsageError(f"no finding has the code {code!r}; known are {', '.join(sorted(RULES))}")
    console().print(page.finding(RULES[code.upper()]))


@main.command()
@with_settings("jobs", "timeout_s", "stall_s", "memory", "device")
def doctor(**flags: Any) -> None:
    """Tell which MLX, device and limits are here, and what cannot be measured."""
    from mlxprobe import doctor as checks
    from mlxprobe import environment

    settings = resolve(flags)
    here = environment.usable(device=settings.device)
    for name, value in checks.facts(here, settings):
        click.echo(f"{name:12} {value}")
    for gap in checks.gaps(here):
        click.echo(f"{'not measured':12} {gap}")


def entry_point() -> None:
    """Run the command line; a SIGTERM ends it as Ctrl-C does."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    main(prog_name="mlxprobe")
