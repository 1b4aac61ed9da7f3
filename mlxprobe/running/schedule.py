"""Which program runs when: on one release, or on several side by side."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from mlxprobe.catalogue.scenario import Variant
from mlxprobe.catalogue.scenarios import Entry
from mlxprobe.running.programs import ASPECTS, UserProgram
from mlxprobe.running.runner import Runner
from mlxprobe.values.record import ProgramRecord
from mlxprobe.values.vocabulary import Role

Run = Callable[[Runner], ProgramRecord]
POLL_S = 0.2
USERS_PAIRS = 5  # what few programs are worth before one of them is called the same


@dataclass(frozen=True)
class Task:
    """A program to run: first, again, and what can run once it is done (the variants of a correct loop).

    `pairs` is how often a gate runs it on each side at the least.
    """

    name: str
    run: Run
    again: Run
    then: tuple[Task, ...] = ()
    pairs: int = 1
    compares: tuple[str, ...] = ASPECTS
    file: Path | None = None

    def repeated(self) -> Task:
        """Return the task that runs the program once more, and nothing behind it."""
        return replace(self, run=self.again, then=())


def scenario_tasks(chosen: Sequence[tuple[Entry, tuple[Variant, ...]]]) -> list[Task]:
    """Make a task of every scenario's correct loop, with its chosen variants behind it."""
    return [
        _task(entry, entry.correct, tuple(_task(entry, one) for one in variants if one.role is not Role.CORRECT))
        for entry, variants in chosen
    ]


def _task(entry: Entry, variant: Variant, then: tuple[Task, ...] = ()) -> Task:
    return Task(
        name=f"{entry.name}/{variant.name}",
        run=partial(Runner.variant_row, entry=entry, variant=variant),
        again=partial(Runner.repeated_row, entry=entry, variant=variant),
        then=then,
        file=entry.file,
    )


def user_tasks(programs: Sequence[UserProgram]) -> list[Task]:
    """Make a task of each of the user's own programs."""
    return [
        Task(
            name=f"programs/{user.name}",
            run=partial(Runner.user_row, user=user),
            again=partial(Runner.user_row, user=user),
            pairs=USERS_PAIRS,
            compares=user.compare,
        )
        for user in programs
    ]


def flat(tasks: Sequence[Task]) -> list[Task]:
    """List tasks with what follows them, in the order of reports."""
    return [one for task in tasks for one in (task, *task.then)]


def side_by_side(runners: Sequence[Runner], tasks: Sequence[Task], jobs: int) -> list[dict[str, ProgramRecord]]:
    """Run all tasks on every runner, `jobs` programs at a time, and return each runner's rows by name.

    The runners of one task start right after each other, in an order that alternates from task to task. Ctrl-C ends
    what runs; the rows of what had its verdict by then are returned, and the runners' `stop` is set.
    """
    with ThreadPoolExecutor(jobs) as pool:
        board = _Board(runners, pool)
        try:
            for place, task in enumerate(tasks):
                for index in range(len(runners))[:: -1 if place % 2 else 1]:
                    board.start(index, task)
            while board.running:
                board.collect(wait(board.running, timeout=POLL_S, return_when="FIRST_COMPLETED").done)
        except KeyboardInterrupt:
            for runner in runners:
                runner.stop.set()
            pool.shutdown(cancel_futures=True)
            board.collect({future for future in board.running if not future.cancelled()}, follow=False)
    order = [task.name for task in flat(tasks)]
    return [{name: found[name] for name in order if name in found} for found in board.rows]


class _Board:
    """What runs, and what has run."""

    def __init__(self, runners: Sequence[Runner], pool: ThreadPoolExecutor) -> None:
        self.rows: list[dict[str, ProgramRecord]] = [{} for _ in runners]
        self.running: dict[Future[ProgramRecord], tuple[int, Task]] = {}
        self._runners = runners
        self._pool = pool

    def start(self, index: int, task: Task) -> None:
        self.running[self._pool.submit(task.run, self._runners[index])] = index, task

    def collect(self, done: set[Future[ProgramRecord]], *, follow: bool = True) -> None:
        for future in done:
            index, task = self.running[future]
            self.rows[index][task.name] = future.result()
            del self.running[future]  # not before its row is kept: Ctrl-C may come in between
            for follower in task.then if follow else ():
                self.start(index, follower)
