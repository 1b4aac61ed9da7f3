"""What the pages are made of, as values: the room reads no file, and asks no command line."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import groupby
from typing import Any

from mlxprobe.catalogue.discovery import Entry
from mlxprobe.diagnosis import Rule
from mlxprobe.schema.record import ProgramRecord, Record
from mlxprobe.settings.table import Setting

Row = tuple[Record, ProgramRecord]


@dataclass(frozen=True)
class Source:
    """A scenario's declarations, and the text of its file."""

    entry: Entry
    text: str


@dataclass(frozen=True)
class Command:
    """A command of the command line, in its own words; an option is its spelling and its help."""

    name: str
    usage: str
    help: str
    options: Sequence[tuple[str, str]] = ()


@dataclass(frozen=True)
class Words:
    """What the pytest marker and the function `mlxprobe.watch` say of themselves."""

    marker: str
    arguments: dict[str, str]
    parameters: Sequence[str]
    returns: str
    function: str


@dataclass(frozen=True)
class Material:
    """Everything that the pages are made of; `records` are the observations, of any releases and devices."""

    sources: Sequence[Source]
    rules: Sequence[Rule]
    records: Sequence[Record]
    commands: Sequence[Command]
    settings: Sequence[Setting]
    schema: dict[str, Any]
    live_schema: dict[str, Any]
    words: Words
    programs: dict[tuple[str, str], list[Row]] = field(init=False)

    def __post_init__(self) -> None:
        found: dict[tuple[str, str], list[Row]] = {}
        for record in sorted(self.records, key=_age):
            for one in record.programs:
                found.setdefault((one.scenario, one.variant), []).append((record, one))
        object.__setattr__(self, "programs", found)

    def rows(self, scenario: str, variant: str) -> list[Row]:
        """Return what was seen of a variant: the CPU's releases first, the oldest first."""
        return self.programs.get((scenario, variant), [])

    def showing(self, code: str) -> dict[tuple[str, str], list[Row]]:
        """Return the programs in which a code was found, each with the rows that show it."""
        shown = {}
        for name, rows in self.programs.items():
            if hits := [row for row in rows if any(one.code == code for one in row[1].findings)]:
                shown[name] = hits
        return shown

    def where(self, rows: Sequence[Row]) -> str:
        """Name devices and releases, `CPU 0.26.5 – 0.32.4, GPU 0.32.4`; a span leaves no measured release out."""
        seen = {_place(record) for record, _ in rows}
        told: dict[str, list[str]] = {}
        for device, places in groupby(map(_place, sorted(self.records, key=_age)), key=lambda place: place[0]):
            for hit, span in groupby(places, key=seen.__contains__):
                names = [release for _, release in span]
                if hit:
                    told.setdefault(device, []).append(" – ".join(dict.fromkeys((names[0], names[-1]))))
        return ", ".join(f"{device.upper()} {', '.join(spans)}" for device, spans in told.items())


def _place(record: Record) -> tuple[str, str]:
    return record.environment.device, record.environment.mlx


def _age(record: Record) -> tuple[str, list[int]]:
    release = [int(part) if part.isdigit() else 0 for part in record.environment.mlx.split(".")]
    return record.environment.device, release
