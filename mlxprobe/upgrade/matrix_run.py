"""Fill a matrix: release by release, keeping what is finished."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import msgspec

import mlxprobe
from mlxprobe.machines.runners import Runners
from mlxprobe.releases.environments import NotInstallableError
from mlxprobe.releases.index import Release
from mlxprobe.running.schedule import Lot, Rows, Task, flat, run_lots
from mlxprobe.upgrade.matrix import Matrix, Shard, add, encode, key, share
from mlxprobe.values.files import SCHEMA_VERSION, now, write
from mlxprobe.values.observation import Environment
from mlxprobe.values.record import Record


def fill(
    matrix: Matrix,
    wanted: Sequence[Release],
    tasks: Sequence[Task],
    runners: Sequence[Runners],
    *,
    part: Shard,
    file: Path,
) -> Matrix:
    """Run what the matrix lacks and write the file after every release; interrupted, it is resumed from there.

    On a cluster, which has runners for each kind of worker, all releases are run at once.

    Returns:
        the part of the matrix that was asked for; the file keeps what earlier runs put there.
    """
    filling = _Filling(matrix, tasks, share([(one.name, task.name) for one in wanted for task in tasks], part), file)
    for some in [wanted] if runners[0].place.whole else [[release] for release in wanted]:
        run_lots([lot for release in some for those in runners for lot in filling.lots(release, those)], filling.add)
    names = [task.name for task in flat(tasks)]
    return narrowed(filling.matrix, filling.met, names, filling.skipped)


class _Filling:
    """A matrix that is being filled, and which part of it was met so far."""

    def __init__(self, matrix: Matrix, tasks: Sequence[Task], cells: Collection[tuple[str, str]], file: Path) -> None:
        self.matrix = matrix
        self.met: list[Environment] = []
        self.skipped: set[str] = set()
        self._tasks = tasks
        self._cells = cells
        self._file = file

    def lots(self, release: Release, runners: Runners) -> Iterator[Lot]:
        """Yield what there is to run of a release, if anything; note what cannot be installed."""
        mine = [task for task in self._tasks if (release.name, task.name) in self._cells]
        if runners.stop.is_set() or not mine:
            return
        name = " ".join(filter(None, (release.name, runners.place.name)))
        self.skipped.add(name)
        skipped = {one: reason for one, reason in self.matrix.skipped.items() if one != name}
        try:
            runner = runners.of(release)
        except NotInstallableError as error:
            self.matrix = msgspec.structs.replace(self.matrix, skipped=skipped | {name: str(error)})
            return
        self.matrix = msgspec.structs.replace(self.matrix, skipped=skipped)
        self.met.append(runner.environment)
        if missing := _missing(self.matrix, runner.environment, mine):
            yield Lot([runner], missing, runners.place)

    def add(self, lot: Lot, rows: Sequence[Rows]) -> None:
        """Take in what a lot has shown, and write the file."""
        for runner, those in zip(lot.runners, rows, strict=True):
            if not those:
                continue
            record = Record(
                schema_version=SCHEMA_VERSION,
                mlxprobe=mlxprobe.__version__,
                time=now(),
                environment=runner.environment,
                programs=tuple(those.values()),
            )
            self.matrix = add(self.matrix, record)
        write(self._file, encode(self.matrix))


def narrowed(
    matrix: Matrix, environments: Collection[Environment], programs: Sequence[str], skipped: Collection[str]
) -> Matrix:
    """Return the part of a matrix with these releases and programs, the programs in the order given."""
    place = {name: number for number, name in enumerate(programs)}
    kept = [key(one) for one in environments]
    records = [
        msgspec.structs.replace(
            record,
            programs=tuple(
                sorted((one for one in record.programs if one.name in place), key=lambda one: place[one.name])
            ),
        )
        for record in matrix.records
        if key(record.environment) in kept
    ]
    reasons = {name: reason for name, reason in matrix.skipped.items() if name in skipped}
    return msgspec.structs.replace(matrix, records=tuple(records), skipped=reasons)


def _missing(matrix: Matrix, here: Environment, tasks: Sequence[Task]) -> list[Task]:
    """Return the tasks with a program that the matrix does not have; a correct loop comes with any of its variants."""
    there = {one.name for record in matrix.records if key(record.environment) == key(here) for one in record.programs}
    lacking = [replace(task, then=tuple(one for one in task.then if one.name not in there)) for task in tasks]
    return [task for task in lacking if any(one.name not in there for one in flat([task]))]
