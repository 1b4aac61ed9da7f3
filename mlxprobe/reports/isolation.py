"""An isolation in text, JSON and Markdown: which change does what, and which to write."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import msgspec
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from mlxprobe.reports import markdown_html, phrases
from mlxprobe.reports.markdown import cell
from mlxprobe.runner.isolation_result import Isolation, Trial, idle
from mlxprobe.schema.enums import Outcome
from mlxprobe.schema.record_io import finite, json_text
from mlxprobe.schema.texts import inline
from mlxprobe.upgrade.metric_comparison import peak_bytes, usual_step_s


def renderable(found: Isolation) -> RenderableType:
    """Return the report for any rich console."""
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for column in ("intervention", "outcome", "findings"):
        table.add_column(column, overflow="fold")
    for column in ("peak", "step"):
        table.add_column(column, justify="right", no_wrap=True)
    for trial in found.trials:
        style = "green" if found.cure is trial else "" if trial.seen.outcome is Outcome.PASS else "yellow"
        table.add_row(*_cells(trial), style=style)
    return Group(table, Text(""), *(Text(line, **_whole(line)) for line in _conclusion(found)))


def _cells(trial: Trial) -> tuple[str, ...]:
    seen = trial.seen
    peak, step_s = peak_bytes(seen), usual_step_s(seen)
    return (
        trial.name or "as it is",
        phrases.observed(seen),
        " ".join(sorted(trial.codes)) or "–",
        f"{peak / 1e6:.1f} MB" if peak else "–",
        f"{1e3 * step_s:.1f} ms" if step_s else "–",
    )


def _conclusion(found: Isolation) -> list[str]:
    first, cure = found.trials[0], found.cure
    if found.healthy:
        return _nothing_to_cure(found)
    if cure is not None:
        lines = [f"The smallest cure is {cure.name}: {_and(one.summary for one in cure.applied)}."]
        lines += [f"It takes away {', '.join(gone)}."] if (gone := found.gone(cure)) else []
        lines += [_partly(found, one) for one in found.helpful if not one.clean]
        return [*lines, *_hidden(found), "Write:", *_to_write(cure)]
    lines = ["No change that was tried cures it."] if found.trials[1:] else []
    lines += [_partly(found, one) for one in found.helpful]
    lines += _hidden(found)
    if unknown := idle(first.codes):
        lines.append(f"No intervention is known for {', '.join(unknown)}: `mlxprobe explain {unknown[0]}`.")
    lines.append(f"As it is: {first.seen.reason}")
    if best := found.helpful[:1]:
        lines += [f"What helps most, {best[0].name}, is written:", *_to_write(best[0])]
    return lines


def _nothing_to_cure(found: Isolation) -> list[str]:
    """Say so, but not where something is known that nobody has judged."""
    first = found.trials[0]
    known = [remark.message for remark in first.seen.remarks if remark.grave]
    if not first.notes and not known:
        return ["There is nothing to cure: the program passes as it is, and nothing was found."]
    lines = ["The program passes as it is, without an error or a warning."]
    for code in sorted(first.notes):
        without = [one.name for one in found.trials[1:] if one.clean and code not in one.notes]
        lines.append(f"There is a note, {code}" + (f"; it goes with {' or '.join(without)}." if without else "."))
    return [*lines, *(f"Not judged: {message}." for message in known)]


def _partly(found: Isolation, trial: Trial) -> str:
    """Say what a change takes away, what stays, and what it lets show."""
    before, after = found.trials[0].seen.outcome, trial.seen.outcome
    does = [f"mends the {before}"] if before is not after else []
    does += [f"takes away {_and(gone)}"] if (gone := found.gone(trial)) else []
    shown = found.shown(trial)
    stays = sorted(trial.codes - set(shown))
    rest = ", ".join([*([_do(stays, "stay")] if stays else []), *([f"{_do(shown, 'show')} then"] if shown else [])])
    return f"`{trial.name}` {' and '.join(does)}; {rest or f'it still ends in {after}'}."


def _hidden(found: Isolation) -> list[str]:
    """Say what is seen only without `mx.compile`."""
    told = [
        (one, found.shown(one)) for one in found.trials[1:] if one.name == "no-compile" and one not in found.helpful
    ]
    return [f"Without mx.compile {_do(shown, 'show')}." for _, shown in told if shown]


def _to_write(trial: Trial) -> list[str]:
    return [f"    {line}" for one in trial.applied for line in one.code.splitlines()]


def _do(codes: list[str], verb: str) -> str:
    return f"{_and(codes)} {verb}{'s' if len(codes) == 1 else ''}"


def _and(texts: Iterable[str]) -> str:
    *others, last = texts
    return f"{', '.join(others)} and {last}" if others else last


def _whole(line: str) -> dict[str, Any]:
    """Keep code to copy in one line."""
    return {"no_wrap": True, "overflow": "ignore"} if line.startswith(" ") else {}


def markdown(found: Isolation) -> str:
    """Return the report as a Markdown table and the conclusion."""
    rows = ["| intervention | outcome | findings | peak | step |", "| --- | --- | --- | ---: | ---: |"]
    rows += ["| " + " | ".join(map(cell, _cells(trial))) + " |" for trial in found.trials]
    told = [line if line.startswith(" ") else inline(line) for line in _conclusion(found)]
    return "\n".join([f"# isolate: {inline(found.program)}", "", *rows, "", *told]) + "\n"


def encoded(found: Isolation) -> str:
    """Return the isolation as JSON."""
    plain = finite(msgspec.to_builtins(found, str_keys=True))
    plain["cure"] = found.cure.name if found.cure else None
    plain["helpful"] = [
        {"name": one.name, "takes": found.gone(one), "leaves": sorted(one.codes), "shows": found.shown(one)}
        for one in found.helpful
    ]
    return json_text(plain)


ISOLATION_FORMATS: dict[str, Callable[[Isolation], str]] = {
    "json": encoded,
    "markdown": markdown,
    "html": lambda found: markdown_html.page("mlxprobe isolate", markdown(found)),
}
