"""Objects are read by their types: arrays, modules, containers and functions, and nothing that only looks like one."""

from __future__ import annotations

import functools
from collections import OrderedDict, deque
from types import SimpleNamespace
from typing import Any

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim
import numpy as np
import pytest

from mlxprobe.agent.patching import static


class Pretender:
    """Has every attribute, and calls itself a dict."""

    @property  # type: ignore[misc]
    def __class__(self) -> Any:
        return dict

    def __getattr__(self, name: str) -> Any:
        return self


class Turned(dict[str, int]):
    def __getitem__(self, key: str) -> int:
        raise AssertionError

    def __missing__(self, key: str) -> int:
        raise AssertionError

    def items(self) -> Any:
        raise AssertionError

    def __iter__(self) -> Any:
        raise AssertionError

    def __len__(self) -> int:
        raise AssertionError


class Descent:
    """An optimizer of a user's, which has a state from when it is made."""

    def __init__(self) -> None:
        self.state: dict[str, Any] = {}

    def apply_gradients(self, gradients: Any, parameters: Any) -> Any:
        return parameters if gradients is None else gradients


ONES = [
    (mx.ones(3), {"is_array", "is_data"}),
    (np.ones(3), {"is_numpy", "is_number_of_numpy", "is_data"}),
    (np.float32(3), {"is_number_of_numpy"}),
    (nn.Linear(2, 2), {"is_module"}),
    (optim.SGD(0.1), {"is_optimizer"}),
    (optim.MultiOptimizer([optim.SGD(0.1)]), {"is_optimizer"}),
    (Descent(), {"is_optimizer"}),
    (Pretender(), set()),
    ({}, set()),
]


@pytest.mark.parametrize(("one", "kinds"), ONES, ids=[type(one).__name__ for one, _ in ONES])
def test_an_object_is_what_its_type_is(one: Any, kinds: set[str]) -> None:
    known = [name for name in vars(static) if name.startswith("is_") and name not in ("is_a", "is_filled")]
    assert {name for name in known if getattr(static, name)(one)} == kinds


def test_containers_are_read_past_what_their_classes_override() -> None:
    turned = Turned(a=1, b=2)
    assert static.entries(turned) == [("a", 1), ("b", 2)] and static.children(turned) == [1, 2]
    assert (static.size(turned), static.copied(turned)) == (2, {"a": 1, "b": 2})
    assert static.entries((5, 6)) == [(0, 5), (1, 6)] and static.children(OrderedDict(a=1)) == [1]
    assert static.last(deque(range(9)), 2) == [7, 8] and static.children(Pretender()) == []


def test_an_entry_is_read_past_what_its_class_overrides() -> None:
    tree = {"a": [Turned(b=1), (2,)]}
    assert (
        static.at(tree, ("a", 0, "b")),
        static.at(tree, ("a", 1, -1)),
        static.at(tree, ()),
    ) == (1, 2, tree)
    assert [static.at(tree, path) for path in (("a", 0, "c"), ("a", 2), ("a", "b"), ("a", 1, 0, 0))] == [None] * 4
    assert static.at(Pretender(), ("a",)) is None


def test_origins_are_those_of_the_type() -> None:
    assert static.origin(np.ones(3)) == "numpy" and static.origin(3) == "builtins"
    assert static.whence(np.random) == "numpy.random" and static.whence(nn.relu).startswith("mlx")
    assert static.origin(Pretender()) == __name__


def test_attributes_and_functions_are_read_without_asking() -> None:
    assert static.attributes(SimpleNamespace(a=1)) == {"a": 1} and static.attributes(Pretender()) == {}
    plain = functools.partial(static.size)
    assert static.wrapped(plain) is static.size and static.wrapped(Pretender()) is None
    assert static.code(static.size) is static.size.__code__ and static.code(Pretender()) is None
