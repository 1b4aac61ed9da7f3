"""Run the same programs on two releases and compare: regressions, fixes, undecided."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from mlxprobe.runner.runner import Runner
from mlxprobe.runner.schedule import Pool, Task, flat, side_by_side
from mlxprobe.schema.errors import BrokenReleaseError, UsageError
from mlxprobe.schema.record import ProgramRecord, Record
from mlxprobe.upgrade.compare import compare
from mlxprobe.upgrade.diff import IMPORT, Change, Comparison, Difference
from mlxprobe.upgrade.metric_comparison import ENOUGH_RUNS

Told = Callable[[str], None]
Pair = tuple[list[ProgramRecord], list[ProgramRecord]]


def between(before: Runner, after: Runner, tasks: Sequence[Task], pool: Pool, told: Told) -> list[Comparison]:
    """Compare two releases: a pair of runs each, then rounds of pairs on the same machine for suspected differences."""
    old, new = side_by_side([before, after], tasks, pool)
    both = [task for task in flat(tasks) if task.name in old and task.name in new]
    pairs = {task: ([old[task.name]], [new[task.name]]) for task in both}
    found = {task: _compared(task, rows) for task, rows in pairs.items()}
    waiting = _unsure(found, pairs)
    while waiting and not before.stop.is_set():
        if suspected := [task for task in waiting if found[task].suspected and len(pairs[task][0]) == 1]:
            told("; ".join(f"{task.name}: {suspicion(found[task])}" for task in suspected) + "; running again")
        turn = -1 if len(pairs[waiting[0]][0]) % 2 else 1
        again, hosts = [task.repeated() for task in waiting], {task.name: pairs[task][0][0].host for task in waiting}
        old, new = side_by_side([before, after][::turn], again, pool, hosts)[::turn]
        for task in (one for one in waiting if one.name in old and one.name in new):
            pairs[task][0].append(old[task.name])
            pairs[task][1].append(new[task.name])
            found[task] = _compared(task, pairs[task])
        waiting = _unsure(found, pairs)
    return list(found.values())


def import_fails(error: BrokenReleaseError) -> Comparison:
    """Return the regression of a candidate that does not import; no allowance accepts it."""
    worse = Difference(what="outcome", change=Change.REGRESSION, text=str(error))
    return Comparison(program=IMPORT, differences=(worse,))


def unreadable(file: str, problem: str) -> Comparison:
    """Return the comparison of a scenario file that cannot be read."""
    return Comparison(program=file, differences=(Difference(what="outcome", change=Change.CANNOT_TELL, text=problem),))


def _compared(task: Task, rows: Pair) -> Comparison:
    return compare(task.name, *rows, aspects=task.compares)


def _unsure(found: Mapping[Task, Comparison], pairs: Mapping[Task, Pair]) -> list[Task]:
    """List the programs of which further pairs could show more."""
    runs = {task: len(rows[0]) for task, rows in pairs.items()}
    return [
        task
        for task, one in found.items()
        if (runs[task] < task.pairs and one.change is not Change.CANNOT_TELL)
        or (one.suspected and runs[task] <= ENOUGH_RUNS)
    ]


def suspicion(result: Comparison) -> str:
    """Return the text of a difference that too few runs have shown."""
    return next(one.text for one in result.differences if one.suspected)


def against(baseline: Record, after: Runner, tasks: Sequence[Task], pool: Pool, told: Told) -> list[Comparison]:
    """Compare a release with a record from elsewhere: only what is comparable across machines decides.

    Raises:
        UsageError: the record is of another device, or not complete.
    """
    if not baseline.complete:
        raise UsageError("the baseline is the record of an interrupted run; a complete one is right")
    if baseline.environment.device != after.environment.device:
        raise UsageError(
            f"the baseline is of the device {baseline.environment.device}, these runs are of "
            f"{after.environment.device}; a baseline of the same device is right"
        )
    old = {one.name: [one] for one in baseline.programs}
    (new,) = side_by_side([after], tasks, pool)
    found = []
    for task in flat(tasks):
        rows = [new[task.name]] if task.name in new else []
        result = compare(task.name, old.get(task.name, []), rows, same_machine=False, aspects=task.compares)
        while not after.stop.is_set() and result.suspected and len(rows) < 3:
            told(f"{task.name}: {suspicion(result)}; running it again")
            (again,) = side_by_side([after], [task.repeated()], pool, {task.name: rows[0].host})
            rows += again.values()
            result = compare(task.name, old.get(task.name, []), rows, same_machine=False, aspects=task.compares)
        found.append(result)
    return found
