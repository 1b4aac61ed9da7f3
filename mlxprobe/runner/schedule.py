"""Which program runs when: on one release, or on several side by side."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Executor, Future, wait
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

from mlxprobe.catalogue.declaration import Variant
from mlxprobe.catalogue.discovery import Entry
from mlxprobe.runner.programs import ASPECTS, UserProgram
from mlxprobe.runner.runner import Runner
from mlxprobe.schema.enums import Role
from mlxprobe.schema.record import ProgramRecord

Run = Callable[[Runner], ProgramRecord]
Rows = dict[str, ProgramRecord]
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


class Pool(Executor):
    """Where programs run.

    Where it is `whole`, a scenario is run there in one go, and on every runner: its limits are measured on the machine
    that runs its correct loop, and figures are compared that one machine has measured.
    """

    whole = False


@dataclass(frozen=True)
class Cell:
    """What a machine is given: programs to run one after the other, each on every runner.

    `host` names the machine, where it should be a certain one. Called, a cell returns each runner's rows by name; those
    that there are, once the runners' `stop` is set.
    """

    runners: tuple[Runner, ...]
    tasks: tuple[Task, ...]
    host: str = ""

    def __call__(self) -> list[Rows]:
        rows: list[Rows] = [{} for _ in self.runners]
        for place, task in enumerate(self.tasks):
            for k in alternately(len(self.runners), place):
                if not self.runners[k].stop.is_set():
                    rows[k][task.name] = task.run(self.runners[k])
        return rows


@dataclass(frozen=True)
class Lot:
    """Tasks, the runners that run each of them side by side, and where; `hosts` are those of cells, by task."""

    runners: Sequence[Runner]
    tasks: Sequence[Task]
    pool: Pool
    hosts: Mapping[str, str] = field(default_factory=dict)


def alternately(count: int, place: int) -> range:
    """Return the order in which runners start a task, another one for every second task."""
    return range(count)[:: -1 if place % 2 else 1]


def side_by_side(
    runners: Sequence[Runner], tasks: Sequence[Task], pool: Pool, hosts: Mapping[str, str] | None = None
) -> list[Rows]:
    """Run all tasks on every runner, and return each runner's rows by name; see `run_lots`."""
    return run_lots([Lot(runners, tasks, pool, hosts or {})])[0]


def run_lots(lots: Sequence[Lot], done: Callable[[Lot, list[Rows]], None] = lambda *_: None) -> list[list[Rows]]:
    """Run lots, as many programs at a time as their pools take, and return the rows of each lot's runners by name.

    The runners of one task start right after each other, in an order that alternates from task to task. Ctrl-C ends
    what runs; the rows of what had its verdict by then are returned, and the runners' `stop` is set. `done` is called
    with every lot once it is complete, at the latest at the end.
    """
    board = _Board(lots, done)
    try:
        board.begin()
        while board.running:
            board.collect(wait(board.running, timeout=POLL_S, return_when="FIRST_COMPLETED").done)
    except KeyboardInterrupt:
        for runner in (one for lot in lots for one in lot.runners):
            runner.stop.set()
        for lot in lots:
            lot.pool.shutdown(cancel_futures=True)
        board.collect({future for future in board.running if not future.cancelled()}, follow=False)
    finally:
        board.tell()
    return board.rows()


class _Board:
    """What runs, and what has run, by the lots' numbers."""

    def __init__(self, lots: Sequence[Lot], done: Callable[[Lot, list[Rows]], None]) -> None:
        self.running: dict[Future[list[Rows]], tuple[int, Sequence[int], Task]] = {}
        self._lots = lots
        self._done = done
        self._rows: list[list[Rows]] = [[{} for _ in lot.runners] for lot in lots]
        self._open = [0] * len(lots)
        self._told: set[int] = set()

    def begin(self) -> None:
        for number, lot in enumerate(self._lots):
            for place, task in enumerate(lot.tasks):
                order = alternately(len(lot.runners), place)
                for sides in [order] if lot.pool.whole else [(side,) for side in order]:
                    self._start(number, sides, task)

    def _start(self, number: int, sides: Sequence[int], task: Task) -> None:
        lot = self._lots[number]
        tasks = tuple(flat([task])) if lot.pool.whole else (task,)
        cell = Cell(tuple(lot.runners[side] for side in sides), tasks, lot.hosts.get(task.name, ""))
        self._open[number] += 1
        self.running[lot.pool.submit(cell)] = number, sides, task

    def collect(self, done: set[Future[list[Rows]]], *, follow: bool = True) -> None:
        for future in done:
            number, sides, task = self.running[future]
            for side, rows in zip(sides, future.result(), strict=True):
                self._rows[number][side] |= rows
            del self.running[future]  # not before its rows are kept: Ctrl-C may come in between
            for follower in task.then if follow and not self._lots[number].pool.whole else ():
                self._start(number, sides, follower)
            self._open[number] -= 1
            if not self._open[number]:
                self._tell(number)

    def tell(self) -> None:
        """Report the lots that have not been reported."""
        for number in range(len(self._lots)):
            self._tell(number)

    def _tell(self, number: int) -> None:
        if number not in self._told:
            self._told.add(number)
            self._done(self._lots[number], self._ordered(number))

    def rows(self) -> list[list[Rows]]:
        """Return what there is, in the order of reports."""
        return [self._ordered(number) for number in range(len(self._lots))]

    def _ordered(self, number: int) -> list[Rows]:
        order = [task.name for task in flat(self._lots[number].tasks)]
        return [{name: found[name] for name in order if name in found} for found in self._rows[number]]
