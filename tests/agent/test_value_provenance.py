"""A value is followed back to the line that builds it."""

import functools
import inspect
from collections.abc import Callable, Iterator
from types import ModuleType
from typing import Any

import pytest

from mlxprobe.agent.introspection import call_site
from mlxprobe.agent.introspection.code_ownership import OWN, Roots
from mlxprobe.agent.recording import value_provenance

Site = tuple[str, int]


@pytest.fixture(autouse=True)
def own_files(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(call_site, "whose", lambda file: OWN if file == __file__ else Roots().whose(file))


def asked(x: Any, y: Any) -> Site:
    return value_provenance.argument("y", code=asked.__code__)


def handed_on(x: Any, y: Any) -> Site:
    return asked(x, y)


class Windows:
    def __init__(self) -> None:
        self.rows = [1, 2, 3]

    def sample(self) -> tuple[Any, Any]:
        a = self.rows[:2]
        b = self.rows[1:]
        return a, b

    def __iter__(self) -> Iterator[tuple[Any, Any]]:
        for k in range(2):
            first = self.rows[k]
            second = self.rows[k] + 1
            yield first, second


class Queue:
    def __init__(self) -> None:
        self.keys = [0]

    def push(self, key: int) -> None:
        self.keys = [*self.keys, key]


def batches(n: int) -> Iterator[dict[str, Any]]:
    for k in range(n):
        target = k + 1
        yield {"x": k, "y": target}


def plain() -> tuple[Site, Site]:
    y = 1 + 1
    return asked(0, y), (__file__, line_of(plain, "1 + 1"))


def through_a_function() -> tuple[Site, Site]:
    y = 1 + 2
    return handed_on(0, y), (__file__, line_of(through_a_function, "1 + 2"))


def spread_of_a_name() -> tuple[Site, Site]:
    data = Windows()
    return asked(*data.sample()), (__file__, line_of(Windows.sample, "b = "))


def looped() -> tuple[Site, Site]:
    data = Windows()
    for _, (x, y) in enumerate(data):
        found = asked(x, y)
    return found, (__file__, line_of(Windows.__iter__, "second ="))


def from_a_generator() -> tuple[Site, Site]:
    for batch in batches(2):
        found = asked(batch["x"], batch["y"])
    return found, (__file__, line_of(batches, "target ="))


def an_attribute_that_grows() -> tuple[Site, Site]:
    queue = Queue()
    queue.push(1)
    return asked(0, queue.keys), (__file__, line_of(Queue.push, "[*self"))


def by_keyword() -> tuple[Site, Site]:
    some = [1, 2]
    return asked(0, y=some), (__file__, line_of(by_keyword, "[1, 2]"))


def of_a_closure() -> tuple[Site, Site]:
    outer = 3 + 4

    def inner() -> Site:
        return asked(0, outer)

    return inner(), (__file__, line_of(of_a_closure, "3 + 4"))


def changed_on_the_way() -> tuple[Site, Site]:
    y = 5 + 6
    y += 1
    return asked(0, y), (__file__, line_of(changed_on_the_way, "y += 1"))


WAYS: list[Callable[[], tuple[Site, Site]]] = [
    plain, through_a_function, spread_of_a_name, looped, from_a_generator, an_attribute_that_grows, by_keyword,
    of_a_closure, changed_on_the_way,
]  # fmt: skip


def line_of(function: object, text: str) -> int:
    lines, first = inspect.getsourcelines(function)  # type: ignore[arg-type]
    return first + next(k for k, line in enumerate(lines) if text in line)


@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.__name__)
def test_the_line_that_builds_an_argument(way: Callable[[], tuple[Site, Site]]) -> None:
    found, right = way()
    assert found == right


def test_what_cannot_be_followed_ends_where_it_is_given() -> None:
    found = asked(0, functools.partial(ModuleType, "some")())
    assert found == (__file__, line_of(test_what_cannot_be_followed_ends_where_it_is_given, "asked(0"))
