"""Programs × releases × devices: a record per release and device, in one file that can be resumed, sharded, merged."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import msgspec

from mlxprobe.schema import record_io
from mlxprobe.schema.errors import UsageError
from mlxprobe.schema.observation import Environment, Value
from mlxprobe.schema.reading import given, plain
from mlxprobe.schema.record import ProgramRecord, Record
from mlxprobe.schema.record_io import finite, json_text
from mlxprobe.schema.texts import shortened
from mlxprobe.schema.versions import MATRIX_SCHEMA_VERSION

Shard = tuple[int, int]
WITHOUT = ("skipped", "broken", "failed")  # the tables of releases without a record


class Matrix(Value, frozen=True):
    """The records of several releases, device by device, the oldest first, and the releases without one.

    Each of those has its reason: no wheel for this platform (`skipped`), `import mlx.core` fails (`broken`), or its
    environment could not be made (`failed`).
    """

    schema_version: int
    records: tuple[Record, ...] = ()
    skipped: dict[str, str] = {}
    broken: dict[str, str] = {}
    failed: dict[str, str] = {}

    @property
    def without(self) -> dict[str, str]:
        """All releases without a record, with the reason."""
        return self.skipped | self.broken | self.failed


def empty() -> Matrix:
    """Return a matrix without cells."""
    return Matrix(schema_version=MATRIX_SCHEMA_VERSION)


def key(environment: Environment) -> tuple[str, list[int], str]:
    """Return the identity of a record, by which records are sorted: the device, then the release."""
    return environment.kind, release_key(environment.mlx), environment.mlx


def labels(records: Sequence[Record]) -> list[str]:
    """Name each record by its release; where that is not enough, by its device and its number too."""
    devices = len({record.environment.kind for record in records}) > 1
    names = [f"{one.mlx} {one.kind}" if devices else one.mlx for one in (record.environment for record in records)]
    seen: Counter[str] = Counter()
    told = []
    for name in names:
        seen[name] += 1
        told.append(name if seen[name] == 1 else f"{name} ({seen[name]})")
    return told


def along(
    records: Sequence[Record], found: Sequence[ProgramRecord | None]
) -> Iterator[tuple[str, ProgramRecord | None, ProgramRecord | None]]:
    """Yield record by record its label, the program's row of the release before it on the same device, and its own."""
    before: dict[str, ProgramRecord | None] = {}
    for record, label, one in zip(records, labels(records), found, strict=True):
        kind = record.environment.kind
        yield label, before.get(kind), one
        before[kind] = one or before.get(kind)


def cell(before: ProgramRecord | None, one: ProgramRecord | None) -> tuple[str, bool]:
    """Return a cell's text, and whether it differs from its left neighbour."""
    if one is None:
        return "", False
    return str(one.outcome), before is not None and before.outcome is not one.outcome


def rows(matrix: Matrix) -> list[tuple[str, list[ProgramRecord | None]]]:
    """Return program by program its row of each record, None where it was not run."""
    fullest = sorted(matrix.records, key=lambda record: -len(record.programs))
    listed = {one.name: one.group for record in fullest for one in record.programs}
    scenarios = list(dict.fromkeys(listed.values()))
    names = sorted(listed, key=lambda name: scenarios.index(listed[name]))
    known = [{one.name: one for one in record.programs} for record in matrix.records]
    return [(name, [record.get(name) for record in known]) for name in names]


def add(matrix: Matrix, record: Record) -> Matrix:
    """Return the matrix with one record put in, or joined with what is there of its release and device."""
    there = [one for one in matrix.records if key(one.environment) == key(record.environment)]
    others = [one for one in matrix.records if one not in there]
    joined = join(there[0], record) if there else record
    ordered = sorted([*others, joined], key=lambda one: key(one.environment))
    return msgspec.structs.replace(matrix, records=tuple(ordered))


def join(first: Record, second: Record) -> Record:
    """Return one record of both records' programs; of a program in both, the second's row."""
    programs = {one.name: one for one in first.programs} | {one.name: one for one in second.programs}
    scenarios = list(dict.fromkeys(one.group for one in programs.values()))
    ordered = sorted(programs.values(), key=lambda one: scenarios.index(one.group))
    return msgspec.structs.replace(
        second,
        programs=tuple(ordered),
        complete=first.complete and second.complete,
        wall_s=first.wall_s + second.wall_s,
    )


def merge(matrices: Iterable[Matrix]) -> Matrix:
    """Return one matrix of all shards."""
    merged = empty()
    for one in matrices:
        for record in one.records:
            merged = add(merged, record)
        merged = msgspec.structs.replace(
            merged, **{name: getattr(merged, name) | getattr(one, name) for name in WITHOUT}
        )
    return merged


def shard(text: str) -> Shard:
    """Read `i/n`.

    Raises:
        UsageError: it is not of that form, or i is not from 1 to n.
    """
    found = re.fullmatch(r"(\d{1,9})/(\d{1,9})", text)
    if not found or not 1 <= int(found[1]) <= int(found[2]):
        raise UsageError(f"--shard: {text!r} is not i/n with i from 1 to n, such as 2/3")
    return int(found[1]), int(found[2])


def share(cells: Sequence[tuple[str, str]], part: Shard) -> set[tuple[str, str]]:
    """Return the (release, scenario) pairs of one shard: every n-th, so that each release is spread evenly."""
    index, count = part
    return {pair for place, pair in enumerate(cells) if place % count == index - 1}


def encode(matrix: Matrix) -> bytes:
    """Return a matrix as JSON."""
    return json_text(finite(msgspec.to_builtins(matrix, str_keys=True)), indent=-1).encode()


def load(path: Path) -> Matrix:
    """Read a matrix.

    Raises:
        UsageError: it cannot be read, is truncated or of another schema version.
    """
    found = given(path)
    return converted(plain(found, "matrix"), found.origin)


def converted(value: Any, origin: str) -> Matrix:
    """Return the matrix that values of JSON are; raises UsageError as `load` does."""
    version = value.get("schema_version") if isinstance(value, dict) else None
    records = value.get("records", []) if isinstance(value, dict) else None
    if type(version) is not int or not isinstance(records, list):
        raise UsageError(f"{origin}: not an mlxprobe matrix; remove it to begin again")
    if version != MATRIX_SCHEMA_VERSION:
        raise UsageError(f"{origin}: matrix of schema version {version}; this mlxprobe reads {MATRIX_SCHEMA_VERSION}")
    try:
        found = msgspec.convert({**value, "records": []}, Matrix, strict=False, str_keys=True)
    except msgspec.ValidationError as error:
        raise UsageError(
            f"{origin}: not an mlxprobe matrix: {shortened(str(error))}; remove it to begin again"
        ) from None
    read = tuple(record_io.converted(one, f"{origin}: record {number}") for number, one in enumerate(records, 1))
    return msgspec.structs.replace(found, records=read)


def release_key(text: str) -> list[int]:
    """Return the sort key of a release."""
    return [int(part) for part in re.findall(r"\d{1,9}", text)]
