"""`mlxprobe list`, `show`, `explain` and `doctor`: what there is, without running a program."""

from __future__ import annotations

import difflib
import re
import sys
import textwrap
from typing import TYPE_CHECKING, Any

import click

from mlxprobe.cli.common import JUDGED_NOT, leave, tell, with_settings
from mlxprobe.settings.table import resolve

if TYPE_CHECKING:
    from mlxprobe.diagnosis import Rule

SHOWN = 8  # rules that are found by words
FILLERS = {"a", "an", "and", "are", "at", "does", "in", "is", "it", "my", "of", "on", "or", "the", "to", "was", "why"}


@click.command("list")
@with_settings("scenarios")
def list_(**flags: Any) -> None:
    """List every scenario and its variants."""
    from mlxprobe.catalogue import discovery
    from mlxprobe.cli.display import console

    width = console().width if sys.stdout.isatty() else sys.maxsize  # a line per title for grep, folds for eyes
    entries, broken = discovery.find(resolve(flags).scenarios)
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
    from mlxprobe.catalogue import discovery
    from mlxprobe.cli.display import console, shown
    from mlxprobe.reports import explain_text

    entries, _ = discovery.find(resolve(flags).scenarios)
    for entry, variants in discovery.select(entries, [name]):
        click.echo(shown(explain_text.scenario(entry, variants, console().width)), nl=False)


@click.command()
@click.argument("code", default="")
def explain(code: str) -> None:
    """Explain a finding by its code or name, such as MP101 or zero-gradient; list those of MP1, or of words: dropout.

    Or an error of one of MLX's backends, by its text or name: mlxprobe explain "[metal::malloc] Resource limit …". And
    `mlxprobe explain metal` tells what is peculiar to Metal.
    """
    from mlxprobe.cli.display import shown
    from mlxprobe.diagnosis import RULES
    from mlxprobe.diagnosis.errors import KNOWN, known
    from mlxprobe.reports import explain_text
    from mlxprobe.schema.errors import UsageError
    from mlxprobe.schema.texts import one_line

    if code.lower() == "metal":
        click.echo(shown(explain_text.metal()), nl=False)
        return
    meant = meant_by(code)
    error = known(code) or next((row for row in KNOWN if row.name == code.lower()), None)
    if error and not meant:
        click.echo(shown(explain_text.error(error)), nl=False)
        return
    if not meant and (found := by_words(code)):
        for rule in found[:SHOWN]:
            click.echo(f"{rule.code}  {rule.name}: {one_line(rule.sections()['What it detects'])}")
        return
    if not meant:
        names = [*(rule.name for rule in RULES.values()), *(row.name for row in KNOWN)]
        close = difflib.get_close_matches(code.lower(), names, n=1)
        all_known = f"known are {', '.join(sorted(RULES))}, and {len(KNOWN)} errors by their text"
        hint = f"did you mean {close[0]}?" if close else all_known
        raise UsageError(f"no finding has the code or name {code!r}; {hint}")
    if len(meant) == 1:
        click.echo(shown(explain_text.finding(meant[0])), nl=False)
        return
    for rule in meant:
        click.echo(f"{rule.code}  {rule.name}  ({rule.severity})")


def by_words(text: str) -> list[Rule]:
    """Return the rules whose pages have all words of a text; first those that have most of them in their names."""
    from mlxprobe.diagnosis import RULES

    words = [word for word in re.findall(r"\w+", text.lower()) if word not in FILLERS]
    starts = [re.compile(rf"\b{re.escape(word)}", re.IGNORECASE) for word in words]
    every = [
        rule for rule in RULES.values() if starts and all(one.search(f"{rule.name} {rule.page}") for one in starts)
    ]

    def rank(rule: Rule) -> tuple[int, int, str]:
        named, said = rule.name.replace("-", " "), rule.sections()["What it detects"]
        return (
            -sum(bool(one.search(named)) for one in starts),
            -sum(bool(one.search(said)) for one in starts),
            rule.code,
        )

    return sorted(every, key=rank)


def meant_by(word: str) -> list[Rule]:
    """Return the rule with this code or name; else all whose code or name begins with it."""
    from mlxprobe.diagnosis import RULES

    word, rules = word.lower(), [RULES[code] for code in sorted(RULES)]
    names = {rule.code: (rule.code.lower(), rule.name) for rule in rules}
    exact = [rule for rule in rules if word in names[rule.code]]
    return exact or [rule for rule in rules if any(name.startswith(word) for name in names[rule.code])]


@click.command()
@with_settings("jobs", "timeout_s", "stall_s", "memory", "device")
def doctor(**flags: Any) -> None:
    """Tell which MLX, device and limits are here, and what cannot be measured."""
    from mlxprobe.cli import doctor as checks
    from mlxprobe.supervisor import interpreter

    settings = resolve(flags)
    here = interpreter.usable(device=settings.device)
    click.echo("\n".join(checks.lines(here, settings)))
