"""Fill a matrix: release by release, keeping what is finished."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import msgspec

import mlxprobe
from mlxprobe.releases.environments import NotInstallableError
from mlxprobe.releases.index import Release
from mlxprobe.running.schedule import Task, flat, side_by_side
from mlxprobe.upgrade.matrix import Matrix, Shard, add, encode, share
from mlxprobe.upgrade.runners import Runners
from mlxprobe.values.files import SCHEMA_VERSION, now, write
from mlxprobe.values.record import Record


def fill(
    matrix: Matrix, wanted: Sequence[Release], tasks: Sequence[Task], runners: Runners, *, part: Shard, file: Path
) -> Matrix:
    """Run what the matrix lacks and write the file after every release; interrupted, it is resumed from there.

    Returns:
        the part of the matrix that was asked for; the file keeps what earlier runs put there.
    """
    versions: set[str] = set()
    cells = share([(release.name, task.name) for release in wanted for task in tasks], part)
    for release in wanted:
        mine = [task for task in tasks if (release.name, task.name) in cells]
        if runners.stop.is_set() or not mine:
            continue
        try:
            runner = runners.of(release)
        except NotInstallableError as error:
            matrix = msgspec.structs.replace(matrix, skipped=matrix.skipped | {release.name: str(error)})
            continue
        versions.add(runner.environment.mlx)
        rest = {name: reason for name, reason in matrix.skipped.items() if name != release.name}
        matrix = msgspec.structs.replace(matrix, skipped=rest)
        missing = _missing(matrix, runner.environment.mlx, mine)
        if missing:
            (rows,) = side_by_side([runner], missing, runners.settings.jobs)
            record = Record(
                schema_version=SCHEMA_VERSION,
                mlxprobe=mlxprobe.__version__,
                time=now(),
                environment=runner.environment,
                programs=tuple(rows.values()),
            )
            matrix = add(matrix, record)
            write(file, encode(matrix))
    names = [task.name for task in flat(tasks)]
    return narrowed(matrix, versions, names, {release.name for release in wanted})


def narrowed(matrix: Matrix, versions: set[str], programs: Sequence[str], releases: set[str]) -> Matrix:
    """Return the part of a matrix with these releases and programs, the programs in the order given."""
    place = {name: number for number, name in enumerate(programs)}
    records = [
        msgspec.structs.replace(
            record,
            programs=tuple(
                sorted((one for one in record.programs if one.name in place), key=lambda one: place[one.name])
            ),
        )
        for record in matrix.records
        if record.environment.mlx in versions
    ]
    skipped = {name: reason for name, reason in matrix.skipped.items() if name in releases}
    return msgspec.structs.replace(matrix, records=tuple(records), skipped=skipped)


def _missing(matrix: Matrix, mlx: str, tasks: Sequence[Task]) -> list[Task]:
    """Return the tasks with a program that the matrix does not have; a correct loop comes with any of its variants."""
    there = {one.name for record in matrix.records if record.environment.mlx == mlx for one in record.programs}
    lacking = [replace(task, then=tuple(one for one in task.then if one.name not in there)) for task in tasks]
    return [task for task in lacking if any(one.name not in there for one in flat([task]))]
