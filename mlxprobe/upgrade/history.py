"""Files of records and of matrices, read into one row of records, the oldest release first."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec

from mlxprobe.upgrade import matrix
from mlxprobe.values.errors import UsageError
from mlxprobe.values.files import load
from mlxprobe.values.record import Record


class _Shape(msgspec.Struct):
    programs: Any = None
    records: Any = None


def read(files: Sequence[Path]) -> tuple[list[Record], dict[str, str]]:
    """Return all records, and the releases that a matrix has no record of, with the reason.

    Raises:
        UsageError: a file cannot be read, or is neither a record nor a matrix; none has a program.
    """
    records: list[Record] = []
    skipped: dict[str, str] = {}
    for file in files:
        if is_matrix(file):
            found = matrix.load(file)
            records += found.records
            skipped |= found.without
        else:
            records.append(load(file))
    if not any(one.programs for one in records):
        raise UsageError(f"{', '.join(map(str, files))}: no program in it")
    kept = [one for one in records if one.programs]
    return sorted(kept, key=_age), skipped


def _age(one: Record) -> tuple[list[int], str, str]:
    return matrix.release_key(one.environment.mlx), one.environment.device, one.time


def is_matrix(file: Path) -> bool:
    """Tell whether a file holds a matrix; False also where it cannot be read."""
    try:
        shape = msgspec.json.decode(file.read_bytes(), type=_Shape)
    except (OSError, msgspec.DecodeError, msgspec.ValidationError):
        return False  # reading it as a record says what is wrong
    return shape.records is not None and shape.programs is None
