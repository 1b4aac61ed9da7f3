"""Which program runs when, and what a machine is given in one go."""

import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import msgspec
from making import record_row

from mlxprobe.runner.schedule import Cell, Lot, Pool, Rows, Task, run_lots, side_by_side

ROW = record_row(variant="first")


class Threads(ThreadPoolExecutor, Pool):
    """A pool that notes what it was given."""

    def __init__(self, *, whole: bool) -> None:
        super().__init__(1)
        self.whole = whole
        self.cells: list[Cell] = []

    def submit(self, call: Callable[..., Any], /, *words: Any, **named: Any) -> Future[Any]:
        assert isinstance(call, Cell)
        self.cells.append(call)
        return super().submit(call, *words, **named)


def task(name: str, *then: Task) -> Task:
    row = msgspec.structs.replace(ROW, variant=name)

    def run(runner: Any) -> Any:
        runner.asked.append(name)
        return row

    return Task(name=row.name, run=run, again=run, then=then)


def runner() -> Any:
    return SimpleNamespace(stop=threading.Event(), asked=[])


TASKS = [task("first", task("after"), task("later")), task("second")]


def test_here_a_variant_follows_its_correct_loop_and_runners_take_turns() -> None:
    old, new = runner(), runner()
    with Threads(whole=False) as pool:
        rows = side_by_side([old, new], TASKS, pool)
    assert old.asked == new.asked == ["first", "second", "after", "later"]
    assert [list(each) for each in rows] == [["toy/first", "toy/after", "toy/later", "toy/second"]] * 2
    assert all(len(cell.runners) == len(cell.tasks) == 1 for cell in pool.cells)
    assert [cell.runners[0] is old for cell in pool.cells[:4]] == [True, False, False, True]


def test_a_machine_is_given_a_scenario_whole_with_both_sides_of_each_pair() -> None:
    old, new = runner(), runner()
    with Threads(whole=True) as pool:
        rows = side_by_side([old, new], TASKS, pool, {"toy/second": "mini"})
    assert [[one.name for one in cell.tasks] for cell in pool.cells] == [
        ["toy/first", "toy/after", "toy/later"],
        ["toy/second"],
    ]
    assert [cell.host for cell in pool.cells] == ["", "mini"]
    assert old.asked == new.asked == ["first", "after", "later", "second"]
    assert [list(each) for each in rows] == [["toy/first", "toy/after", "toy/later", "toy/second"]] * 2


def test_a_cell_that_is_stopped_returns_what_there_is() -> None:
    one = runner()

    def run(_: Any) -> Any:
        one.stop.set()
        return ROW

    (rows,) = Cell((one,), (replace(TASKS[0], run=run), TASKS[1]))()
    assert list(rows) == ["toy/first"]


def test_every_lot_is_told_once_when_it_is_through() -> None:
    told: list[tuple[int, list[Rows]]] = []
    with Threads(whole=True) as pool:
        lots = [Lot([runner()], TASKS[:1], pool), Lot([runner()], TASKS[1:], pool), Lot([runner()], [], pool)]
        run_lots(lots, lambda lot, rows: told.append((lots.index(lot), rows)))
    assert [number for number, _ in told] == [0, 1, 2]
    assert [list(rows[0]) for _, rows in told] == [["toy/first", "toy/after", "toy/later"], ["toy/second"], []]
