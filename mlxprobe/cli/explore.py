"""`mlxprobe list`, `show`, `explain` and `doctor`: what there is, without running a program."""

from __future__ import annotations

import sys
import textwrap
from typing import Any

import click

from mlxprobe.cli.common import JUDGED_NOT, leave, tell, with_settings
from mlxprobe.settings.table import resolve


@click.command("list")
@with_settings("scenarios")
def list_(**flags: Any) -> None:
    """List every scenario and its variants."""
    from mlxprobe.catalogue import scenarios
    from mlxprobe.cli.display import console

    width = console().width if sys.stdout.isatty() else sys.maxsize  # a line per title for grep, folds for eyes
    entries, broken = scenarios.find(resolve(flags).scenarios)
    for entry in entries:
        told = textwrap.fill(f"{entry.name}  {entry.title}", width, subsequent_indent="  ", break_on_hyphens=False)
        click.echo(click.style(entry.name, bold=True) + told.removeprefix(entry.name))
        for variant in entry.variants:
            click.echo(f"    {variant.name}  ({variant.role})")
    for one in broken:
        tell(one.problem)
    leave(JUDGED_NOT if broken else 0)


@click.command()
@click.argument("name", metavar="NAME[/VARIANT]")
@with_settings("scenarios")
def show(name: str, **flags: Any) -> None:
    """Show a scenario: symptom, cause, fix, broken and correct code side by side."""
    from mlxprobe.catalogue import scenarios
    from mlxprobe.cli.display import console, shown
    from mlxprobe.reports import page

    entries, _ = scenarios.find(resolve(flags).scenarios)
    for entry, variants in scenarios.select(entries, [name]):
        click.echo(shown(page.scenario(entry, variants, console().width)), nl=False)


@click.command()
@click.argument("code", default="")
def explain(code: str) -> None:
    """Explain a finding code, such as MP101; without one, list them."""
    from mlxprobe.cli.display import shown
    from mlxprobe.diagnosis import RULES
    from mlxprobe.reports import page
    from mlxprobe.values.errors import UsageError

    if not code:
        for rule in (RULES[one] for one in sorted(RULES)):
            click.echo(f"{rule.code}  {rule.name}  ({rule.severity})")
        return
    if code.upper() not in RULES:
        raise UsageError(f"no finding has the code {code!r}; known are {', '.join(sorted(RULES))}")
    click.echo(shown(page.finding(RULES[code.upper()])), nl=False)


@click.command()
@with_settings("jobs", "timeout_s", "stall_s", "memory", "device")
def doctor(**flags: Any) -> None:
    """Tell which MLX, device and limits are here, and what cannot be measured."""
    from mlxprobe.cli import doctor as checks
    from mlxprobe.releases import interpreter

    settings = resolve(flags)
    here = interpreter.usable(device=settings.device)
    for name, value in checks.facts(here, settings):
        click.echo(f"{name:12} {value}".rstrip())
    for gap in checks.gaps(here):
        click.echo(f"{'not measured':12} {gap}")
