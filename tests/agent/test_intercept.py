"""Each function of MLX is wrapped once, in one place, for all who observe it; what they raise stays with them."""

from __future__ import annotations

import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from running import run

from mlxprobe.agent.intercept import table
from mlxprobe.agent.intercept.events import CallEvent
from mlxprobe.agent.intercept.guarded import guarded
from mlxprobe.agent.intercept.intercepts import Intercepts, Observe
from mlxprobe.agent.intercept.states import GRADIENT, OURS, SAMPLED
from mlxprobe.agent.patching import static

FUNCTION = "mlx.core.softmax"
WRAPPED = """
import sys
import mlx.core as mx, mlx.nn as nn, mlx.optimizers, mlx.utils
from mlxprobe.agent.intercept import table

def layers(function):
    found = []
    while function is not None:
        code = getattr(function, "__code__", None)
        found += [code.co_filename] if code is not None and "mlxprobe" in code.co_filename else []
        function = getattr(function, "__wrapped__", None)
    return found

known = {}
for module in [one for name, one in sys.modules.items() if name == "mlx" or name.startswith("mlx.")]:
    for function in table.FUNCTIONS:
        known |= {(id(holder), name): function for holder, name in table.places(function, module.__name__, module)}
for module in [one for name, one in sys.modules.items() if name.startswith("mlx.")]:
    for owner in (module, *(one for one in vars(module).values() if isinstance(one, type))):
        for name, one in list(vars(owner).items()):
            if (found := layers(one)) and one.__module__.startswith("mlx") and (id(owner), name) not in known:
                if not any(one is getattr(sys.modules[other], name, None) for other in table.MODULES):
                    if not found[0].endswith("compilation.py"):  # compiled by MLX itself
                        print("not in the table:", owner, name)
            elif len(found) > 1 and not found[1].endswith("compilation.py"):
                print("wrapped twice:", owner, name)
print("done", len(known))
"""


class Watcher:
    """Observes, and fails where it is to."""

    def __init__(self, *, fails: bool = False) -> None:
        self.seen: list[tuple[str, Any]] = []
        self._fails = fails

    def begins(self, event: CallEvent) -> None:
        self.seen.append(("begins", event["axis"]))
        if self._fails:
            raise ValueError

    def ends(self, event: CallEvent) -> None:
        self.seen.append(("ends", event.result))

    def fails(self, event: CallEvent) -> None:
        self.seen.append(("fails", "axis" in event))

    def doubles(self, event: CallEvent) -> None:
        event.replace("a", 2 * event["a"])
        event.result = None

    def negates(self, event: CallEvent) -> None:
        event.result = -event.result


def softmax(a: int, axis: int = 0, *, stream: Any = None) -> int:
    """Return the sum, or raise."""
    if axis < 0:
        raise IndexError(axis)
    return a + axis


def wrapped(where: Any, *observed: tuple[Any, list[Observe]], failed: Any = lambda *_: True) -> Any:
    module = SimpleNamespace(softmax=softmax)
    intercepts = Intercepts(where, failed)
    for owner, observes in observed:
        intercepts.add(owner, observes)
    intercepts.imported("mlx.core", module)
    return module.softmax


def state(flags: int) -> Any:
    return SimpleNamespace(due=bool(flags & SAMPLED), tracing=False, inside=False, state=lambda: flags)


BOTH = [Observe(FUNCTION, "begins", needs=SAMPLED), Observe(FUNCTION, "ends", after=True, needs=SAMPLED, never=OURS)]


@pytest.mark.parametrize(
    ("flags", "seen"),
    [
        (0, []),
        (SAMPLED, [("begins", 2), ("ends", 3)]),
        (SAMPLED | GRADIENT, [("begins", 2), ("ends", 3)]),
        (SAMPLED | OURS, [("begins", 2)]),
    ],
)
def test_an_observer_is_told_where_its_flags_say(flags: int, seen: list[Any]) -> None:
    one = Watcher()
    function = wrapped(state(flags), (one, BOTH))
    assert function(1, 2) == 3
    assert one.seen == seen
    assert (function.__name__, function.__doc__, static.wrapped(function)) == ("softmax", softmax.__doc__, softmax)


@pytest.mark.parametrize("given", [((1, 2), {}), ((1,), {"axis": 2}), ((), {"axis": 2, "a": 1, "stream": 7})])
def test_arguments_have_the_functions_own_names_in_any_order(given: Any) -> None:
    one = Watcher()
    assert wrapped(state(SAMPLED), (one, BOTH))(*given[0], **given[1]) == 3
    assert one.seen == [("begins", 2), ("ends", 3)]


def test_arguments_and_results_may_be_replaced() -> None:
    changes = [Observe(FUNCTION, "doubles"), Observe(FUNCTION, "negates", after=True)]
    assert wrapped(state(0), (Watcher(), changes))(5, axis=1) == -11


def test_one_that_fails_is_told_nothing_more_and_nobody_else_notices() -> None:
    told: list[Any] = []
    bad, good = Watcher(fails=True), Watcher()

    def failed(*one: Any) -> bool:
        told.append(one)
        return True

    function = wrapped(state(SAMPLED), (bad, BOTH), (good, BOTH), failed=failed)
    assert [function(1, 2), function(1, 2)] == [3, 3]
    assert bad.seen == [("begins", 2), ("ends", 3)][:1] and good.seen == [("begins", 2), ("ends", 3)] * 2
    assert [(owner, type(error)) for owner, error in told] == [(bad, ValueError)]


def test_what_the_function_raises_is_told_and_raised() -> None:
    one = Watcher()
    function = wrapped(
        state(0), (one, [Observe(FUNCTION, "fails", raised=True), Observe(FUNCTION, "ends", after=True)])
    )
    with pytest.raises(IndexError):
        function(1, -1)
    assert one.seen == [("fails", True)]


def test_a_function_that_is_in_no_table_cannot_be_observed() -> None:
    with pytest.raises(KeyError, match="nothing"):
        Intercepts(state(0), lambda *_: True).add(Watcher(), [Observe("mlx.core.nothing", "begins")])


def test_the_functions_of_a_module_are_observed_by_a_star_and_by_name_at_once() -> None:
    module = SimpleNamespace(cross_entropy=softmax)
    softmax.__module__, before = "mlx.nn.losses", softmax.__module__
    try:
        every, named = Watcher(), Watcher()
        intercepts = Intercepts(state(0), lambda *_: True)
        intercepts.add(every, [Observe("mlx.nn.losses.*", "ends", after=True)])
        intercepts.add(named, [Observe("mlx.nn.losses.cross_entropy", "ends", after=True)])
        intercepts.imported("mlx.nn.losses", module)
        assert module.cross_entropy(1, 2) == 3 and module.cross_entropy.__wrapped__ is softmax
        assert every.seen == named.seen == [("ends", 3)]
    finally:
        softmax.__module__ = before


@pytest.mark.parametrize("where", ["before the call", "after it"])
def test_a_call_that_is_made_for_the_program_has_its_result_whatever_fails_around_it(where: str) -> None:
    calls: list[int] = []
    told: list[Exception] = []

    def ours(once: Any) -> Any:
        if where == "after it":
            once(3)
        raise ZeroDivisionError

    def call(one: int) -> int:
        calls.append(one)
        return 2 * one

    assert guarded(told.append, ours, call, (3,), {}) == 6
    assert calls == [3] and [type(one) for one in told] == [ZeroDivisionError]


def test_what_such_a_call_raises_is_the_programs() -> None:
    with pytest.raises(IndexError):
        guarded(lambda _: pytest.fail(), lambda once: once(1, -1), softmax, (1, -1), {})


def test_every_module_of_the_table_is_listened_to() -> None:
    for name in table.FUNCTIONS:
        assert any(name.startswith(f"{module}.") for module in table.MODULES)


@pytest.mark.slow
def test_each_function_is_wrapped_once_and_all_of_them_are_in_the_table(tmp_path: Path) -> None:
    (tmp_path / "wrapped.py").write_text(WRAPPED)
    ran = run([sys.executable, "-m", "mlxprobe", "watch", "wrapped.py"], tmp_path)
    *problems, done = ran.out.splitlines()
    assert problems == [] and int(done.split()[1]) > 120, ran.err
