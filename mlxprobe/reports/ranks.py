"""The table by rank, for every format: where each has come, what it waits in, and what was found of it. Pure."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from rich.console import Console, ConsoleOptions, RenderResult
from rich.text import Text

from mlxprobe.diagnosis.ranks.rank_progress import Standing, alike, standings
from mlxprobe.schema.enums import Severity
from mlxprobe.schema.from_record import jobs, observation
from mlxprobe.schema.metrics import duration
from mlxprobe.schema.record import ProgramRecord
from mlxprobe.schema.texts import one_line

if TYPE_CHECKING:
    from rich.table import Table

HEAD = ("rank", "steps", "finished", "collective", "where", "since")
NARROW = ("rank", "steps", "finished", "since", "collective, and where")
GAP = 2
FIGURES = ("steps", "finished", "since")
ABOUT = "finished: collectives that have run; collective: the one that a rank waits in, else the last that it has built"


def groups(rows: Iterable[ProgramRecord]) -> dict[str, Sequence[ProgramRecord]]:
    """Return the rows of each program that has several ranks, a row each, by its name; of each job of it."""
    found: dict[str, list[ProgramRecord]] = {}
    for one in rows:
        if one.process is not None and one.process.rank >= 0:
            job = f", job {one.process.job}" if one.process.job else ""
            found.setdefault(f"{one.group}/{one.program or one.variant}{job}", []).append(one)
    return {name: ranks for name, ranks in found.items() if standings(list(map(observation, ranks)))}


def lines(rows: Sequence[ProgramRecord]) -> list[tuple[str, ...]]:
    """Return the table of a program's ranks, a line for those that are alike; nothing where there is one rank."""
    found: list[tuple[str, ...]] = []
    for job in jobs(rows):
        told = [replace(one, codes=_codes(one.ranks, job)) for one in standings(list(map(observation, job)))]
        found += map(_cells, alike(told))
    return found


def _cells(one: Standing) -> tuple[str, ...]:
    least = "≥ " if one.at_least else ""
    return (
        numbers(one.ranks),
        "–" if one.steps is None else f"{least}{one.steps:,}",
        "–" if one.finished is None else f"{least}{one.finished:,}",
        one_line(one.at) or "–",
        one_line(one.where) + (f" [{', '.join(one.codes)}]" if one.codes else ""),
        duration(one.since_s) if one.since_s else "–",
    )


def _codes(ranks: Sequence[int], rows: Sequence[ProgramRecord]) -> tuple[str, ...]:
    """Return the codes of what is found between ranks and tells of one of these, each once."""
    told = [found for one in rows for found in one.findings if found.together and found.severity is not Severity.NOTE]
    return tuple(dict.fromkeys(found.code for found in told if set(found.ranks) & set(ranks)))


def numbers(ranks: Iterable[int]) -> str:
    """Write ranks in short: "0–3, 5"."""
    runs = [
        [rank for _, rank in run]
        for _, run in itertools.groupby(enumerate(sorted(ranks)), key=lambda pair: pair[1] - pair[0])
    ]
    return ", ".join(f"{run[0]}–{run[-1]}" if len(run) > 2 else ", ".join(map(str, run)) for run in runs)


class RankTable:
    """The lines laid out for a terminal: where it is too narrow, the place stands below the collective."""

    def __init__(self, told: Sequence[tuple[str, ...]]) -> None:
        self._told = told

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        columns = [max(map(len, column)) for column in zip(HEAD, *self._told, strict=True)]
        if sum(columns) + GAP * (len(columns) - 1) <= options.max_width:
            yield _laid_out(HEAD, self._told)
        else:
            yield _laid_out(
                NARROW, [(rank, *figures, f"{at}\n{where}") for rank, *figures, at, where in map(_last, self._told)]
            )


def _last(line: tuple[str, ...]) -> tuple[str, ...]:
    """Put what may be long last."""
    rank, steps, finished, at, where, since = line
    return rank, steps, finished, since, at, where


def _laid_out(head: Sequence[str], told: Iterable[Sequence[str]]) -> Table:
    from rich.table import Table  # a report of one rank has none

    made = Table(*head, box=None, padding=(0, GAP, 0, 0), pad_edge=False, header_style="bold", show_edge=False)
    for name, column in zip(head, made.columns, strict=True):
        column.justify = "right" if name in FIGURES else "left"
        column.no_wrap = name in FIGURES
        column.overflow = "fold"  # a line's number is never cut off
    for line in told:
        made.add_row(*map(Text, line))
    return made
