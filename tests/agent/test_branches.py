"""A line is blamed only where it ran: branches that are left out, and functions with several ends."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from mlxprobe.agent.introspection import blame

FLAG, NUMBER = False, 3


def one_end(x: int) -> int:
    print(x)
    return x + 1


def last_is_for_another_flag(x: int) -> int:
    if not FLAG:
        return x
    return -x


def first_is_for_another_number(x: int) -> int:
    if NUMBER == 4:
        return x
    return -x


def nothing_tells(x: int) -> int:
    if x > 3:
        return x
    return -x


def another_in_it(x: int) -> int:
    y = x if x else 1

    def inner() -> int:
        return 3

    return y


def handed_in_a_branch(x: int) -> int:
    if FLAG:
        return one_end(x)
    return NUMBER


def handed_in_each_case(x: int) -> int:
    return one_end(x)


def local_name(NUMBER: int) -> int:
    if NUMBER == 3:
        return 1
    return 2


def may_end_in_a_loop(batches: list[int]) -> int:
    for one in batches:
        return one
    return 2


def may_end_in_a_try(x: int) -> int:
    try:
        return next(iter([x]))
    except StopIteration:
        pass
    return 2


class Model:
    def __init__(self, *, tied: bool = False) -> None:
        self.tied = tied
        if tied:
            self.head = [1]
        else:
            self.head = [2]
        self.body = [3]

    def __call__(self, x: int) -> Any:
        if self.tied:
            return 1
        return x


def line(function: Any) -> int:
    """Return the line that is blamed, counted from where the function begins."""
    found: int = blame.result_of(function)[1] - function.__code__.co_firstlineno
    return found


@pytest.mark.parametrize(
    ("function", "expected"),
    [
        (one_end, 2),
        (last_is_for_another_flag, 2),
        (first_is_for_another_number, 3),
        (nothing_tells, 0),
        (another_in_it, 6),
        (local_name, 0),
        (may_end_in_a_loop, 0),
        (may_end_in_a_try, 0),
    ],
    ids=lambda one: getattr(one, "__name__", ""),
)
def test_the_line_by_which_a_function_returns_is_one_that_ran(function: Any, expected: int) -> None:
    assert line(function) == expected


@pytest.mark.parametrize("tied", [True, False])
def test_what_a_model_is_set_to_tells_by_which_line_it_returns(tied: bool) -> None:
    first = Model.__call__.__code__.co_firstlineno
    assert blame.result_of(Model.__call__, Model(tied=tied))[1] == first + (2 if tied else 3)


def test_an_argument_is_followed_only_into_functions_that_are_called_each_time() -> None:
    assert blame.loses(handed_in_each_case, "x")[1] == one_end.__code__.co_firstlineno + 2
    assert blame.loses(handed_in_a_branch, "x")[1] == handed_in_a_branch.__code__.co_firstlineno + 3


def test_an_attribute_is_set_by_a_line_that_ran() -> None:
    first = Model.__init__.__code__.co_firstlineno
    assert blame.assignment(Model(), "body")[1] == first + 6
    assert blame.assignment(Model(), "head") == ("", 0)  # one of two lines


def test_names_that_nothing_tells_of_are_not_known() -> None:
    known = blame.known_to(Model.__call__, SimpleNamespace())
    node = blame.ast.parse("self.tied").body[0].value  # type: ignore[attr-defined]
    with pytest.raises(LookupError):
        known(node)
