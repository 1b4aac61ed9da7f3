"""Where arrays that are kept are looked for: in the program's frames and objects, not in those that run it."""

import sys
import sysconfig
from pathlib import Path
from types import ModuleType
from typing import Any

import mlx.core as mx
import pytest

from mlxprobe.agent.inspectors.work import retained_arrays
from mlxprobe.agent.introspection import call_site
from mlxprobe.agent.introspection.code_ownership import LIBRARY, PACKAGE, Roots

KERNEL = """
class Shell:
    def __init__(self): self.history = [mx.ones(1)]
    def run(self, cell): return cell(self)
def run(cell):
    names = {"kept": [mx.ones(1)]}
    return Shell().run(cell)
"""
TRAINER = """
class Trainer:
    def __init__(self): self.losses = [mx.ones(1)]
    def fit(self, step): return step(self)
"""
CELL = """
def cell(shell):
    mine = [mx.ones(1)]
    return Trainer().fit(step)
def step(trainer):
    same = trainer.losses
    return list(retained.variables())
"""


@pytest.fixture
def packages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(call_site, "roots", Roots())
    call_site.add(str(tmp_path), PACKAGE)
    for folder in (Path(pytest.__file__).parents[1], Path(__file__).parent, sysconfig.get_path("scripts")):
        call_site.add(str(folder), LIBRARY)  # what runs this very test
    return tmp_path


def module(file: Path, source: str, monkeypatch: pytest.MonkeyPatch, **names: Any) -> Any:
    made = ModuleType(file.stem)
    made.__dict__.update(names, __file__=str(file), mx=mx, retained=retained_arrays)
    monkeypatch.setitem(sys.modules, file.stem, made)
    exec(compile(source, str(file), "exec"), made.__dict__)
    return made


def test_an_installed_trainer_is_looked_into_but_not_what_runs_the_program(
    packages: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kernel = module(packages / "kernel.py", KERNEL, monkeypatch)
    trainer = module(packages / "trainer.py", TRAINER, monkeypatch)
    cell = module(Path("/me/cell.py"), CELL, monkeypatch, Trainer=trainer.Trainer).cell
    found = [(function, name) for name, function, *_ in kernel.run(cell)]
    assert found == [("step", "same"), ("cell", "mine")]
    monkeypatch.setitem(cell.__globals__, "step", lambda _: list(retained_arrays.variables()))
    assert ("fit", "self.losses") in [(function, name) for name, function, *_ in kernel.run(cell)]


def test_a_package_that_is_run_itself_is_looked_into(packages: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = TRAINER + "def main(): return Trainer().fit(lambda _: list(retained.variables()))\n"
    found = module(packages / "trainer.py", source, monkeypatch).main()
    assert [(function, name) for name, function, *_ in found] == [("<lambda>", "_.losses")]


def test_a_sum_is_made_of_what_it_was_and_a_fresh_value_is_not() -> None:
    kept, evaluated = mx.ones(3) * 2, mx.ones(3)
    mx.eval(evaluated)
    assert retained_arrays.is_made_of([kept], [evaluated * 3, mx.sum(kept + 1)])
    assert not retained_arrays.is_made_of([kept], [mx.sum(evaluated * 2 + 1), evaluated])
    assert not retained_arrays.is_made_of([kept], [kept])
