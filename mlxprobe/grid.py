"""Fill a matrix: release by release, keeping what is finished."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import msgspec

import mlxprobe
from mlxprobe.environments import NotInstallableError
from mlxprobe.matrix import Matrix, Shard, add, encode, share
from mlxprobe.model import Record
from mlxprobe.record import SCHEMA_VERSION, now, write
from mlxprobe.releases import Release
from mlxprobe.schedule import Task, flat, side_by_side
from mlxprobe.sides import Sides


def fill(
    matrix: Matrix, wanted: Sequence[Release], tasks: Sequence[Task], sides: Sides, *, part: Shard, file: Path
) -> Matrix:
    """Run what the matrix lacks and write the file after every release; interrupted, it is resumed from there."""
    cells = share([(release.name, task.name) for release in wanted for task in tasks], part)
    for release in wanted:
        mine = [task for task in tasks if (release.name, task.name) in cells]
        if sides.stop.is_set() or not mine:
            continue
        try:
            runner = sides.of(release)
        except NotInstallableError as error:
            matrix = msgspec.structs.replace(matrix, skipped=matrix.skipped | {release.name: str(error)})
            continue
        missing = _missing(matrix, runner.environment.mlx, mine)
        if missing:
            (rows,) = side_by_side([runner], missing, sides.settings.jobs)
            record = Record(
                schema_version=SCHEMA_VERSION,
                mlxprobe=mlxprobe.__version__,
                time=now(),
                environment=runner.environment,
                programs=tuple(rows.values()),
            )
            matrix = add(matrix, record)
            write(file, encode(matrix))
    return matrix


def _missing(matrix: Matrix, mlx: str, tasks: Sequence[Task]) -> list[Task]:
    """Return the tasks with a program that the matrix does not have; a correct loop comes with any of its variants."""
    there = {one.name for record in matrix.records if record.environment.mlx == mlx for one in record.programs}
    lacking = [replace(task, then=tuple(one for one in task.then if one.name not in there)) for task in tasks]
    return [task for task in lacking if any(one.name not in there for one in flat([task]))]
