"""What a function's parameters are called, without the module that says so for every kind of function."""

import functools
import inspect
import subprocess
import sys
from typing import Any

import pytest

from mlxprobe.agent.patching.signatures import parameters


class Model:
    def __call__(self, x: Any) -> Any: ...

    def method(self, x: Any, *, y: Any) -> Any: ...


def nothing() -> None:
    kept = 1
    del kept


def plain(x: Any, y: int = 1) -> Any:
    kept = [x, y]
    return tuple(kept)


def every(x: Any, /, y: Any, *rest: Any, k: Any, m: int = 2, **others: Any) -> Any:
    kept = [x, y, rest, k, m, others]
    return tuple(kept)


def rests(*rest: Any, **others: Any) -> Any: ...


def by_name(*, k: Any) -> Any: ...


def others(**others: Any) -> Any: ...


@functools.wraps(plain)
def wrapped(*args: Any) -> Any: ...


KINDS = [
    nothing,
    plain,
    every,
    rests,
    by_name,
    others,
    wrapped,
    functools.partial(plain, 1),
    Model(),
    Model().method,
    len,
]


@pytest.mark.parametrize("function", KINDS, ids=lambda one: getattr(one, "__name__", type(one).__name__))
def test_parameters_are_those_of_the_signature(function: Any) -> None:
    assert parameters(function) == list(inspect.signature(function).parameters)


def test_what_has_no_signature_has_no_parameters() -> None:
    assert parameters(dict) == []


@pytest.mark.slow
def test_a_plain_function_needs_no_inspect() -> None:
    program = "import sys; from mlxprobe.agent.patching.signatures import parameters; parameters(lambda model, x: x)"
    subprocess.run([sys.executable, "-c", f"{program}; sys.exit('inspect' in sys.modules)"], check=True)
