"""The agent in a process that asked for it: it comes late, and leaves everything as it was."""

import contextlib
import os
import subprocess
import sys
import tempfile
import threading
import types
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from running import PRELUDE, own_environment
from watching import GUARD_S

from mlxprobe.agent.lifecycle.attached_agent import Guest
from mlxprobe.agent.patching.patches import Patches
from mlxprobe.agent.patching.temporary_patches import Loan, Loans

TRIES = 8  # MLX's own numbers differ in their last bits from run to run, and no more than two ways were seen


def everything() -> dict[tuple[str, ...], object]:
    """Return every attribute of every module and class that is imported, but ours and the test's."""
    found: dict[tuple[str, ...], object] = {}
    for name, module in list(sys.modules.items()):
        if not isinstance(module, types.ModuleType) or name.partition(".")[0] in ("mlxprobe", "_pytest", "__main__"):
            continue
        for key, one in list(vars(module).items()):
            found[name, key] = one
            if isinstance(one, type):
                found |= {(name, key, inner): it for inner, it in list(vars(one).items())}
    return found


@pytest.mark.slow
def test_a_stay_leaves_no_wrapper_behind(tmp_path: Path) -> None:
    done = child(tmp_path, "leaves_nothing")
    assert done.splitlines()[-1] == "nothing"


@pytest.mark.slow
def test_who_leaves_while_a_step_is_looked_at_leaves_no_wrapper_behind(tmp_path: Path) -> None:
    """What is replaced for the length of a look is put back by it, over what was there before the stay."""
    done = child(tmp_path, "leaves_within_a_step")
    assert done.splitlines()[-1] == "nothing"


@pytest.mark.slow
def test_functions_that_were_made_before_or_during_a_stay_are_heard_in_the_next() -> None:
    done = child(Path.cwd(), "heard_again")
    assert done.splitlines()[-1] == "[3, 0, 3, 2]"


@pytest.mark.slow
def test_numbers_are_bit_equal_with_stays_in_between() -> None:
    """What a watched run gives, one that nobody watches gives too."""
    alone, watched = set[str](), set[str]()
    for _ in range(TRIES):
        alone.add(child(Path.cwd(), "losses_alone").splitlines()[-1])
        watched.add(child(Path.cwd(), "losses_watched").splitlines()[-1])
        if alone & watched:
            return
    raise AssertionError((alone, watched))


def child(folder: Path, what: str) -> str:
    """Run one of the functions below in a process of its own: the agent is to meet MLX in it for the first time."""
    words = [sys.executable, __file__, what]
    environment = own_environment(PYTHONPATH=os.pathsep.join([str(Path(__file__).parents[1]), *sys.path]))
    done = subprocess.run(
        words, cwd=folder, env=environment, capture_output=True, text=True, timeout=GUARD_S, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@contextlib.contextmanager
def stay() -> Iterator[Guest]:
    """Have the agent come, with nobody at the other end of its pipe."""
    with tempfile.TemporaryDirectory() as folder:
        os.mkfifo(f"{folder}/events", 0o600)
        reader = os.open(f"{folder}/events", os.O_RDWR | os.O_NONBLOCK)
        guest = Guest(folder, 1)
        try:
            yield guest
        finally:
            guest.leave()
            os.close(reader)


def program(*more: str) -> dict[str, Any]:
    """Run the lines of a user's module; return its names."""
    module = sys.modules["users"] = types.ModuleType("users")
    exec("\n".join((PRELUDE, *more)), vars(module))
    return vars(module)


def leaves_nothing() -> None:
    space = program("from mlx.nn import value_and_grad, losses", "from mlx.core import compile")
    cells = [cell.cell_contents for cell in space["gradients"].__closure__]
    with stay():
        exec("train(3)", space)  # what the agent imports on its way is no wrapper
    hooks, meta, before, descriptors = sys.excepthook, list(sys.meta_path), everything(), os.listdir("/dev/fd")
    with stay():
        exec("train(3)\nassert nn.value_and_grad is value_and_grad", space)
        assert len([key for key, one in everything().items() if before.get(key) is not one]) > 50
        assert space["gradients"].__closure__[1].cell_contents is not cells[1]
    after = everything()
    assert [key for key, one in before.items() if after.get(key) is not one] == []
    assert sys.excepthook is hooks and meta == sys.meta_path and len(os.listdir("/dev/fd")) == len(descriptors)
    assert all(cell.cell_contents is one for cell, one in zip(space["gradients"].__closure__, cells, strict=True))
    assert [one.name for one in threading.enumerate()] == ["MainThread"]
    print("nothing")


def leaves_within_a_step() -> None:
    part = "part = nn.value_and_grad(model, lambda m: (leave(), (m(x) ** 2).mean())[1])"
    space, met = program("leave = lambda: None", part), set[str]()
    with stay():
        exec("train(3)", space)
    before = everything()
    with stay() as guest:

        def leave() -> None:
            met.update(name for _, name in Loan.lent)
            guest.leave()
            space["leave"] = guest.leave = lambda *_: None  # type: ignore[method-assign]

        space["leave"] = leave
        exec("part(model)", space)
    after = everything()
    assert {"eval", "__add__"} <= met and not Loan.lent, met
    assert [key for key, one in before.items() if after.get(key) is not one and key[0] != "users"] == []
    print("nothing")


def heard_again() -> None:
    space, heard = program(), []
    late = "late = nn.value_and_grad(model, lambda m: m(x).sum())\n"
    for words in ("train(3)", late, "train(3)", "late(model), late(model)"):
        with stay() as guest:
            exec(words, space)
            heard.append(guest.agent.recorder.gradients)
    print(heard)


def losses(*, watched: bool) -> None:
    space, found = program(), []
    for turn in range(4):
        with stay() if watched and turn % 2 else contextlib.nullcontext():
            found += [float(eval("train(5)", space)).hex()]
    print(found)


def losses_alone() -> None:
    losses(watched=False)


def losses_watched() -> None:
    losses(watched=True)


def test_what_replaces_a_name_is_put_back_but_not_over_somebody_elses() -> None:
    module, patches = types.ModuleType("mlx.made_up"), Patches()
    names: dict[str, Any] = vars(module)
    names |= {"one": abs, "two": abs}
    with patches.noted(module):
        names |= {"one": len, "two": len, "three": len}
    names["two"] = max
    patches.undo()
    assert (names["one"], names["two"], "three" in names) == (abs, max, False)


def test_what_two_replace_for_a_while_is_given_back_in_any_order() -> None:
    for turn in (1, -1):
        module, first, second = types.ModuleType("made_up"), Loans(), Loans()
        names: dict[str, Any] = vars(module)
        names |= {"one": abs, "two": abs}
        for loans in (first, second):
            loans.replace(module, "one", lambda one: lambda: one)
            loans.replace(module, "two", lambda one: lambda: one)
        assert names["one"]()() is abs and first.names == {"one", "two"}
        for loans in (first, second)[::turn]:
            loans.give_back()
        assert (names["one"], names["two"]) == (abs, abs) and not Loan.lent


def test_what_is_given_back_by_all_is_not_put_back_again_nor_over_what_the_program_has_put_there() -> None:
    module, loans = types.ModuleType("made_up"), Loans()
    names: dict[str, Any] = vars(module)
    names |= {"one": abs, "two": abs}
    loans.replace(module, "one", lambda one: lambda: one)
    loans.replace(module, "two", lambda one: lambda: one)
    names["two"] = max
    Loans.close()
    assert (names["one"], names["two"]) == (abs, max)
    names["one"] = len
    loans.give_back()
    loans.replace(module, "one", lambda one: lambda: one)
    assert (names["one"], names["two"]) == (len, max) and not loans.names
    Loans.open()


PARTS: tuple[Callable[[], None], ...] = (
    leaves_nothing,
    leaves_within_a_step,
    heard_again,
    losses_alone,
    losses_watched,
)

if __name__ == "__main__":
    next(part for part in PARTS if part.__name__ == sys.argv[1])()
