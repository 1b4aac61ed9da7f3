"""Fill a matrix: release by release, keeping what is finished."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import msgspec

from mlxprobe.cluster.runners import Runners
from mlxprobe.releases.index import Release
from mlxprobe.runner.schedule import Lot, Rows, Task, flat, run_lots
from mlxprobe.schema.errors import BrokenReleaseError, NoWheelError, ProbeError, UsageError
from mlxprobe.schema.observation import Environment
from mlxprobe.schema.record_io import new_record, write
from mlxprobe.upgrade.matrix import WITHOUT, Matrix, Shard, add, encode, key, share


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
    return narrowed(filling.matrix, filling.met, names, filling.asked)


class _Filling:
    """A matrix that is being filled, and which part of it was met so far."""

    def __init__(self, matrix: Matrix, tasks: Sequence[Task], cells: Collection[tuple[str, str]], file: Path) -> None:
        self.matrix = matrix
        self.met: list[Environment] = []
        self.asked: set[str] = set()
        self._tasks = tasks
        self._cells = cells
        self._file = file

    def lots(self, release: Release, runners: Runners) -> Iterator[Lot]:
        """Yield the programs of a release that are left to run; note a release that has no environment."""
        mine = [task for task in self._tasks if (release.name, task.name) in self._cells]
        if runners.stop.is_set() or not mine:
            return
        name = " ".join(filter(None, (release.name, runners.place.name)))
        self.asked.add(name)
        try:
            runner = runners.of(release)
        except UsageError:
            raise
        except NoWheelError as error:
            return self._note(name, "skipped", error)
        except BrokenReleaseError as error:
            return self._note(name, "broken", error)
        except ProbeError as error:
            return self._note(name, "failed", error)
        self._note(name)
        self.met.append(runner.environment)
        if missing := _missing(self.matrix, runner.environment, mine):
            yield Lot([runner], missing, runners.place)

    def _note(self, name: str, table: str = "", error: Exception | None = None) -> None:
        """Put a release into one of the tables of those without a record, with the reason, and into no other."""
        tables = {one: {key: why for key, why in getattr(self.matrix, one).items() if key != name} for one in WITHOUT}
        if table:
            tables[table][name] = str(error)
        self.matrix = msgspec.structs.replace(self.matrix, **tables)

    def add(self, lot: Lot, rows: Sequence[Rows]) -> None:
        """Take in what a lot has shown, and write the file."""
        for runner, those in zip(lot.runners, rows, strict=True):
            if not those:
                continue
            self.matrix = add(self.matrix, new_record(runner.environment, those.values()))
        write(self._file, encode(self.matrix))


def narrowed(
    matrix: Matrix, environments: Collection[Environment], programs: Sequence[str], asked: Collection[str]
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
    tables = {one: {name: why for name, why in getattr(matrix, one).items() if name in asked} for one in WITHOUT}
    return msgspec.structs.replace(matrix, records=tuple(records), **tables)


def _missing(matrix: Matrix, here: Environment, tasks: Sequence[Task]) -> list[Task]:
    """Return the tasks with a program that the matrix does not have; a correct loop comes with any of its variants."""
    there = {one.name for record in matrix.records if key(record.environment) == key(here) for one in record.programs}
    lacking = [replace(task, then=tuple(one for one in task.then if one.name not in there)) for task in tasks]
    return [task for task in lacking if any(one.name not in there for one in flat([task]))]
