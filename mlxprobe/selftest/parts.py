"""The parts of a self-test, the short ones first; an error in one of them is a row and does not affect the others."""

from __future__ import annotations

import fnmatch
import traceback
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from mlxprobe.catalogue import discovery
from mlxprobe.catalogue.discovery import Entry
from mlxprobe.cluster.executor import Here
from mlxprobe.runner.runner import Runner
from mlxprobe.runner.schedule import Task, flat, scenario_tasks, side_by_side
from mlxprobe.schema.enums import Outcome
from mlxprobe.schema.record import ProgramRecord
from mlxprobe.selftest import healthy, misbehaving, overhead


@dataclass(frozen=True)
class Part:
    """Programs that run together, at most `jobs` at a time."""

    tasks: list[Task]
    jobs: int

    @property
    def count(self) -> int:
        """The number of programs."""
        return len(flat(self.tasks))


def parts(entries: Sequence[Entry], patterns: Sequence[str], jobs: int) -> list[Part]:
    """Return the parts, all of them or what the patterns choose of them.

    Raises:
        UsageError: a pattern matches nothing.
    """
    own = [(healthy.tasks(), jobs), (misbehaving.tasks(), jobs), (overhead.tasks(), 1)]  # measured programs run alone
    names = {task.name for tasks, _ in own for task in tasks}
    rest = [one for one in patterns if not any(_fits(name, one) for name in names)]
    chosen = discovery.select(entries, rest) if rest or not patterns else []
    found = [([one for one in tasks if not patterns or _chosen(one.name, patterns)], most) for tasks, most in own]
    return [Part([guarded(one) for one in tasks], most) for tasks, most in (*found, (scenario_tasks(chosen), jobs))]


def _chosen(name: str, patterns: Sequence[str]) -> bool:
    return any(_fits(name, one) for one in patterns)


def _fits(name: str, pattern: str) -> bool:
    whole = pattern if "/" in pattern else f"{pattern}/*"
    return fnmatch.fnmatchcase(name.replace("_", "-"), whole.replace("_", "-"))


def run(runner: Runner, chosen: Sequence[Part]) -> Iterator[list[ProgramRecord]]:
    """Run part after part, and yield all rows that there are after each; Ctrl-C ends the one that runs."""
    rows: list[ProgramRecord] = []
    for one in chosen:
        if one.tasks and not runner.stop.is_set():
            with Here(replace(runner.settings, jobs=one.jobs)) as pool:
                (found,) = side_by_side([runner], one.tasks, pool)
            rows += found.values()
            yield rows


def guarded(task: Task) -> Task:
    """Return a task that gives a row also where mlxprobe itself fails at it."""

    def run(runner: Runner) -> ProgramRecord:
        try:
            return task.run(runner)
        except Exception as error:
            return runner.told(_failed(task.name, error))

    return replace(task, run=run, again=run, then=tuple(map(guarded, task.then)))


def _failed(name: str, error: Exception) -> ProgramRecord:
    group, _, variant = name.partition("/")
    return ProgramRecord(
        outcome=Outcome.UNJUDGED,
        reason=f"mlxprobe failed: {type(error).__name__}: {error}",
        as_expected=False,
        findings=(),
        scenario=group,
        variant=variant,
        output_tail="".join(traceback.format_exception(error))[-2000:],
    )
