"""The agent's modules and the program's `mlxprobe`, if it has one, never get in each other's way."""

from pathlib import Path
from types import ModuleType, SimpleNamespace

import pytest
from running import PRELUDE, report_of

from mlxprobe.agent.introspection import isolated_import

DIVIDES = """
def loss_fn(model, x):
    return (mx.log(x.sum(axis=1)) * model(x).squeeze()).mean()
gradients = nn.value_and_grad(model, loss_fn)
for k in range(20):
    batch = mx.abs(x)
    if k == 9:
        batch[3] = 0 * batch[3]
    loss, grads = gradients(model, batch)
    optimizer.update(model, grads)
    mx.eval(model.parameters(), loss)
    loss.item()
import mlxprobe
print(mlxprobe.MINE)
"""
COMPILES = """
from functools import partial
state = [model.state, optimizer.state]
@partial(mx.compile, inputs=state, outputs=state)
def step():
    loss, grads = gradients(model)
    optimizer.update(model, grads)
    return loss
for k in range(20):
    mx.eval(step(), state)
import mlxprobe
print(mlxprobe.MINE)
"""


@pytest.fixture
def modules(monkeypatch: pytest.MonkeyPatch) -> dict[str, ModuleType]:
    """The modules of an interpreter with ours in it, which have not been withdrawn yet."""
    there = {name: ModuleType(name) for name in ("json", "mlxprobe", "mlxprobe.agent", "mlxprobes")}
    monkeypatch.setattr(isolated_import, "sys", SimpleNamespace(modules=there))
    monkeypatch.setattr(isolated_import, "_withdrawn", {})
    return there


def test_ours_are_there_while_we_import_and_the_programs_at_any_other_time(modules: dict[str, ModuleType]) -> None:
    ours, theirs, late = modules["mlxprobe"], ModuleType("mlxprobe"), ModuleType("mlxprobe.agent.late")
    isolated_import.withdraw()
    assert set(modules) == {"json", "mlxprobes"}
    modules["mlxprobe"] = theirs
    for _ in range(2):
        with isolated_import.importable():
            assert modules["mlxprobe"] is ours
            modules["mlxprobe.agent.late"] = late
        assert modules["mlxprobe"] is theirs
        assert "mlxprobe.agent.late" not in modules
    with isolated_import.importable():
        assert modules["mlxprobe.agent.late"] is late


def test_the_programs_are_back_after_an_import_that_fails(modules: dict[str, ModuleType]) -> None:
    isolated_import.withdraw()
    with pytest.raises(ImportError), isolated_import.importable():
        raise ImportError
    assert set(modules) == {"json", "mlxprobes"}


def test_ours_stay_where_they_were_never_withdrawn(modules: dict[str, ModuleType]) -> None:
    before = dict(modules)
    with isolated_import.importable():
        assert modules == before
    assert modules == before


@pytest.mark.slow
@pytest.mark.parametrize("source", [DIVIDES, COMPILES], ids=["a loss that is not finite", "a compiled function"])
def test_a_program_with_an_mlxprobe_of_its_own_is_looked_into(source: str, tmp_path: Path) -> None:
    folder = tmp_path / "program"  # not where we are started: there it would be ours
    folder.mkdir()
    (folder / "mlxprobe.py").write_text("MINE = 'mine'\n")
    (folder / "train.py").write_text(PRELUDE + source)
    ran, row = report_of(tmp_path, "program/train.py")
    assert (ran.code, ran.out, ran.err) == (0, "mine\n", "")
    assert not any("could not look inside" in one["message"] for one in row["findings"])
    assert not any("inspector failed" in one["message"] for one in row["findings"])
    if source is DIVIDES:
        (found,) = (one for one in row["findings"] if one["code"] == "MP207")
        assert "the logarithm of 0" in found["message"]
        assert found["line"] == PRELUDE.count("\n") + 3
