"""An isolation in text, JSON and Markdown: which change does what, and which to write."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from mlxprobe.reports import sheet, words
from mlxprobe.running.isolation import Isolation, Trial, intervention
from mlxprobe.upgrade.quantities import peak_bytes, usual_step_s
from mlxprobe.values.files import finite
from mlxprobe.values.vocabulary import Outcome


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
        words.observed(seen),
        " ".join(sorted(trial.codes)) or "–",
        f"{peak / 1e6:.1f} MB" if peak else "–",
        f"{1e3 * step_s:.1f} ms" if step_s else "–",
    )


def _conclusion(found: Isolation) -> list[str]:
    if found.healthy:
        return ["There is nothing to cure: the program passes as it is, and nothing was found."]
    cure = found.cure
    if cure is None:
        return ["No single intervention cures it.", f"As it is: {found.trials[0].seen.reason}"]
    chosen = intervention(cure.name)
    gone = sorted(found.trials[0].codes - cure.codes)
    lines = [f"The smallest cure is {chosen.name}: {chosen.summary}."]
    if gone:
        lines.append(f"It takes away {', '.join(gone)}.")
    if cure.codes:
        lines.append(f"It leaves {', '.join(sorted(cure.codes))}.")
    return [*lines, "Write:", *(f"    {line}" for line in chosen.code.splitlines())]


def _whole(line: str) -> dict[str, Any]:
    """Keep code to copy in one line."""
    return {"no_wrap": True, "overflow": "ignore"} if line.startswith(" ") else {}


def markdown(found: Isolation) -> str:
    """Return the report as a Markdown table and the conclusion."""
    rows = ["| intervention | outcome | findings | peak | step |", "| --- | --- | --- | ---: | ---: |"]
    rows += ["| " + " | ".join(_cells(trial)) + " |" for trial in found.trials]
    return "\n".join([f"# isolate: {found.program}", "", *rows, "", *_conclusion(found)]) + "\n"


def encoded(found: Isolation) -> str:
    """Return the isolation as JSON."""
    plain = finite(msgspec.to_builtins(found, str_keys=True))
    plain["cure"] = found.cure.name if found.cure else None
    return msgspec.json.format(msgspec.json.encode(plain), indent=2).decode() + "\n"


ISOLATION_FORMATS: dict[str, Callable[[Isolation], str]] = {
    "json": encoded,
    "markdown": markdown,
    "html": lambda found: sheet.page("mlxprobe isolate", markdown(found)),
}
