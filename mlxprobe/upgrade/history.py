"""Files of records and of matrices, each read once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from mlxprobe.schema import record_io
from mlxprobe.schema.errors import UsageError
from mlxprobe.schema.reading import given, plain
from mlxprobe.schema.record import Record
from mlxprobe.upgrade import matrix
from mlxprobe.upgrade.matrix import Matrix


class History(NamedTuple):
    """Records, the oldest release first; releases without one, with the reason; `doctor`'s texts of bundles."""

    records: list[Record]
    skipped: dict[str, str]
    doctors: list[str]


def read(paths: Sequence[Path]) -> History:
    """Return all records of some files.

    Raises:
        UsageError: a file cannot be read, or is neither a record nor a matrix; none has a program.
    """
    records: list[Record] = []
    skipped: dict[str, str] = {}
    doctors: list[str] = []
    for path in paths:
        one, doctor = _read(path)
        doctors += [doctor] * bool(doctor)
        if isinstance(one, Matrix):
            records += one.records
            skipped |= one.without
        else:
            records.append(one)
    if not any(one.programs for one in records):
        raise UsageError(f"{', '.join(map(str, paths))}: no program in it")
    return History(sorted((one for one in records if one.programs), key=_age), skipped, doctors)


def parted(paths: Sequence[Path]) -> Mapping[str, Record] | list[Matrix]:
    """Return matrices, or records by the names of their files.

    Raises:
        UsageError: a file cannot be read, or some are matrices and some records.
    """
    found = {str(path): _read(path)[0] for path in paths}
    matrices = [one for one in found.values() if isinstance(one, Matrix)]
    records = {name: one for name, one in found.items() if isinstance(one, Record)}
    if matrices and records:
        raise UsageError(f"{next(iter(records))}: a record, and the other files are matrices; right is one kind")
    return matrices or records


def _read(path: Path) -> tuple[Record | Matrix, str]:
    """Return what a file holds, and `doctor`'s text where it is a bundle."""
    found = given(path)
    value = plain(found, "record")
    read = matrix.converted if is_matrix(value) else record_io.converted
    return read(value, found.origin), found.doctor


def _age(one: Record) -> tuple[list[int], str, str]:
    return matrix.release_key(one.environment.mlx), one.environment.device, one.time


def is_matrix(value: Any) -> bool:
    """Return whether values of JSON are a matrix."""
    return isinstance(value, dict) and "records" in value and "programs" not in value
