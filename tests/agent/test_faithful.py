"""Wrappers of Python functions: what a program reads off a function or sets on it is as without us."""

from __future__ import annotations

import inspect
import sys
import typing
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from running import MLXPROBE, run

from mlxprobe.agent.patching import static
from mlxprobe.agent.patching.faithful import faithful, original_of


def plain(x: int, /, y: str = "b", *rest: Any, k: float, m: int = 2, **others: Any) -> tuple[Any, ...]:
    """Return all that is given."""
    return x, y, rest, k, m, others


def by_place(x: Any, y: Any = 1) -> Any:
    return x, y


def by_name(*, k: Any = 3) -> Any:
    return k


def several(*rest: Any) -> Any:
    return rest


def wrapped(function: Callable[..., Any], *, shares: bool = True) -> Any:
    return faithful(function, function, shares=shares)  # type: ignore[arg-type]


@pytest.mark.parametrize("function", [plain, by_place, by_name, several], ids=lambda one: one.__name__)
def test_a_wrapper_has_the_parameters_and_names_of_its_original(function: Callable[..., Any]) -> None:
    made = wrapped(function)
    assert inspect.getfullargspec(made) == inspect.getfullargspec(function)
    assert inspect.signature(made) == inspect.signature(function)
    assert typing.get_type_hints(made) == typing.get_type_hints(function)
    for name in ("__name__", "__qualname__", "__module__", "__doc__", "__defaults__", "__kwdefaults__", "__globals__"):
        assert getattr(made, name) == getattr(function, name)
    taken = function.__code__.co_argcount + function.__code__.co_kwonlyargcount
    assert made.__code__.co_varnames[:taken] == function.__code__.co_varnames[:taken]
    assert (original_of(made), static.wrapped(made), original_of(function)) == (function, function, None)  # type: ignore[arg-type]


def test_arguments_come_through() -> None:
    made = wrapped(plain)
    assert made(1, k=0.5) == (1, "b", (), 0.5, 2, {})
    assert made(1, "c", 3, 4, k=0.5, m=6, z=7) == (1, "c", (3, 4), 0.5, 6, {"z": 7})
    assert (wrapped(by_place)(y=2, x=1), wrapped(by_name)(), wrapped(several)(1, 2)) == ((1, 2), 3, (1, 2))
    with pytest.raises(TypeError, match="missing 1 required positional argument"):
        wrapped(by_place)()


def test_attributes_are_shared_or_copied() -> None:
    def counted() -> None: ...

    counted.calls = 0  # type: ignore[attr-defined]
    made, apart = wrapped(counted), wrapped(counted, shares=False)
    made.calls += 1
    assert counted.calls == 1 and apart.calls == 0  # type: ignore[attr-defined]
    assert apart.__wrapped__ is counted and not hasattr(made, "__wrapped__")


PROGRAM = """
import gc, inspect, typing, weakref
import mlx.core as mx, mlx.nn as nn, mlx.optimizers as optim
mx.random.seed(0)
def trial(steps):
    class Model(nn.Module):
        def __init__(self):
            super().__init__()
            self.first, self.last = nn.Linear(4, 8), nn.Linear(8, 1)
        def __call__(self, x, scale: "typing.Any" = 1.0, *rest, flag: int = 3, **more):
            own = type(self).__call__
            own.count += 1
            assert "scale" in own.__code__.co_varnames and typing.get_type_hints(own)
            assert (own.__defaults__, own.__kwdefaults__) == ((1.0,), {"flag": 3})
            return self.last(nn.relu(self.first(x * scale)))
        __call__.count = 0
    class Own(optim.SGD):
        def update(self, model, gradients):
            type(self).update.count += 1
            return super().update(model, gradients)
        update.count = 0
    model, optimizer = Model(), Own(learning_rate=0.01)
    gradients = nn.value_and_grad(model, lambda m, x: nn.losses.mse_loss(m(x), x.sum(axis=1, keepdims=True)))
    for _ in range(steps):
        loss, grads = gradients(model, mx.random.normal((8, 4)))
        optimizer.update(model, grads)
        mx.eval(model.state, optimizer.state)
    print(loss.item(), Model.__call__.count, Own.update.count)
    return weakref.ref(Model), weakref.ref(model)
typing.get_type_hints(optim.Optimizer.update), typing.get_type_hints(nn.losses.mse_loss)
print(inspect.getfullargspec(nn.value_and_grad).args, nn.losses.mse_loss.__defaults__)
known = [trial(20) for _ in range(6)]
gc.collect()
print([one() is None for pair in known for one in pair])
"""


@pytest.mark.slow
def test_a_program_that_reads_its_functions_runs_as_without_us(tmp_path: Path) -> None:
    (tmp_path / "train.py").write_text(PROGRAM)
    bare = run([sys.executable, "train.py"], tmp_path)
    watched = run([*MLXPROBE, "watch", "train.py"], tmp_path)
    assert bare.code == 0 and "False" not in bare.out, bare.err
    assert (watched.code, watched.out) == (bare.code, bare.out), watched.err
