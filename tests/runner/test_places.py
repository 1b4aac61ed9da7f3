"""A finding's place is the user's line, wherever the program lies; in an installed package, its line and the user's."""

import os
import subprocess
import sys
import venv
import zipapp
from pathlib import Path
from typing import Any

import pytest
from running import report_of
from uv import find_uv_bin
from wheels import wheel

pytestmark = pytest.mark.slow

TRAINER = """
import threading
import mlx.core as mx, mlx.nn as nn, mlx.optimizers as optim

def fit(steps=200, stuck=False):
    model, optimizer = nn.Linear(4, 1), optim.SGD(0.1)
    x = mx.random.normal((32, 4))
    gradients = nn.value_and_grad(model, lambda m: (m(x) ** 2).mean())
    total = mx.array(0.0)
    for _ in range(steps):
        loss, grads = gradients(model)
        optimizer.update(model, grads)
        mx.eval(model.parameters(), optimizer.state)
        mx.eval(model.parameters)  # MP104
        total = total + loss  # MP105
    lock = threading.Lock()
    for _ in range(2 if stuck else 1):
        lock.acquire()  # MP603
    return total.item()
"""
SCRIPT = "import trainer\n\nprint(trainer.fit() >= 0)\n"
KERNEL = """
import linecache
cell, name = {cell!r}, {name!r}
linecache.cache[name] = len(cell), None, cell.splitlines(True), name  # as IPython keeps it
exec(compile(cell, name, "exec"), {{"__name__": "__main__"}})
"""
ODD = ("mlx", "lib/python3.11/site-packages", "mlx/lib/python3.11/site-packages/a ü 中 b", "dist-packages")


SOURCES = {"MP104": "mx.eval(model.parameters)  # MP104", "MP105": "total = total + loss  # MP105"}


def sources(row: dict[str, Any]) -> dict[str, str]:
    return {one["code"]: one["source"] for one in row["findings"] if "source" in one}


def line_of(text: str, source: str = TRAINER) -> int:
    return next(number for number, line in enumerate(source.splitlines(), 1) if text in line)


def places(row: dict[str, Any]) -> dict[str, tuple[str, int]]:
    return {one["code"]: (one["file"], one["line"]) for one in row["findings"]}


def wanted(file: Path | str) -> dict[str, tuple[str, int]]:
    return {code: (str(file), line_of(code)) for code in ("MP104", "MP105")}


@pytest.mark.parametrize("name", ODD)
def test_a_script_in_an_odd_folder_is_the_users(name: str, tmp_path: Path) -> None:
    folder = tmp_path / name
    folder.mkdir(parents=True)
    (folder / "train.py").write_text(TRAINER + "fit()\n")
    _, row = report_of(tmp_path, f"{name}/train.py")
    assert {code: (os.path.join(tmp_path, file), line) for code, (file, line) in places(row).items()} == wanted(
        folder / "train.py"
    )
    assert all("caller" not in one for one in row["findings"])


def test_a_script_behind_a_link_is_the_users(tmp_path: Path) -> None:
    (tmp_path / "mlx").mkdir()
    (tmp_path / "mlx" / "train.py").write_text(TRAINER + "fit()\n")
    (tmp_path / "link").symlink_to("mlx")
    _, row = report_of(tmp_path, str(tmp_path / "link" / "train.py"))
    assert places(row) == wanted(tmp_path / "link" / "train.py")


@pytest.mark.parametrize("package", ["pack", "mlx"])
def test_a_package_that_is_run_is_the_users(package: str, tmp_path: Path) -> None:
    """Also one called `mlx`: without an `__init__` it becomes a part of MLX's own namespace."""
    folder = tmp_path / "site-packages" / package
    folder.mkdir(parents=True)
    (folder / "trainer.py").write_text(TRAINER)
    (folder / "run.py").write_text(f"from {package}.trainer import fit\nfit()\n")
    _, row = report_of(folder.parent, "-m", f"{package}.run")
    assert places(row) == wanted(folder / "trainer.py")


def test_a_zipped_application_is_the_users(tmp_path: Path) -> None:
    (tmp_path / "app").mkdir()
    (tmp_path / "app" / "trainer.py").write_text(TRAINER)
    (tmp_path / "app" / "__main__.py").write_text(SCRIPT)
    zipapp.create_archive(tmp_path / "app", tmp_path / "app.pyz")
    _, row = report_of(tmp_path, "app.pyz")
    found = {code: (os.path.join(tmp_path, file), line) for code, (file, line) in places(row).items()}
    assert found == wanted(tmp_path / "app.pyz" / "trainer.py")
    assert sources(row) == SOURCES


@pytest.mark.parametrize("name", ["<ipython-input-3-0af1c2>", "/tmp/ipykernel_7/1234567.py", "<stdin>"])
def test_a_cell_of_a_notebook_is_the_users_with_its_text(name: str, tmp_path: Path) -> None:
    (tmp_path / "kernel.py").write_text(KERNEL.format(cell=TRAINER + "fit()\n", name=name))
    _, row = report_of(tmp_path, "kernel.py")
    assert places(row) == wanted(name)
    assert sources(row) == SOURCES


def test_a_command_line_is_the_users(tmp_path: Path) -> None:
    _, row = report_of(tmp_path, "--", sys.executable, "-c", TRAINER + "fit()\n")
    assert places(row)["MP104"] == wanted("<string>")["MP104"]


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Install a trainer into an environment that has this one's MLX, below a folder that looks like MLX's."""
    root = tmp_path_factory.mktemp("installed")
    wheel(root, "trainer", "1.0", {"trainer/__init__.py": TRAINER, "trainer/__main__.py": "from . import fit\nfit()\n"})
    home = root / "mlx" / "lib" / "python3.11" / "a ü b" / ".venv"
    venv.create(home, with_pip=False)
    site = next(home.glob("lib/python*/site-packages"))
    here = next(Path(sys.prefix).glob("lib/python*/site-packages"))
    for one in (*here.glob("mlx"), *here.glob("mlx[-_]*.dist-info"), *here.glob("numpy*")):
        (site / one.name).symlink_to(one)
    order = [find_uv_bin(), "pip", "install", "--no-index", "--offline", "--python", str(home / "bin" / "python")]
    subprocess.run([*order, str(root / "trainer-1.0-py3-none-any.whl")], check=True, capture_output=True)
    return site


def watched(installed: Path, folder: Path, *words: str) -> dict[str, Any]:
    return report_of(folder, "--python", str(installed.parents[2] / "bin" / "python"), *words)[1]


def test_of_an_installed_trainer_its_line_is_told_and_the_scripts(installed: Path, tmp_path: Path) -> None:
    (tmp_path / "train.py").write_text(SCRIPT)
    row = watched(installed, tmp_path, "train.py")
    assert places(row) == wanted(installed / "trainer" / "__init__.py")
    assert sources(row) == SOURCES
    callers = [one["caller"] for one in row["findings"] if "caller" in one]
    assert [(one | {"file": os.path.join(tmp_path, one["file"])}) for one in callers] == [
        {"file": str(tmp_path / "train.py"), "line": 3, "source": "print(trainer.fit() >= 0)"}
    ] * 2


def test_where_an_installed_trainer_is_run_itself_nobody_called_it(installed: Path, tmp_path: Path) -> None:
    row = watched(installed, tmp_path, "-m", "trainer")
    assert places(row) == wanted(installed / "trainer" / "__init__.py")
    assert all("caller" not in one for one in row["findings"])


def test_an_installed_trainer_that_raises_is_told_with_the_scripts_line(installed: Path, tmp_path: Path) -> None:
    (tmp_path / "train.py").write_text("import trainer\n\ntrainer.fit(steps='x')\n")
    raised = watched(installed, tmp_path, "train.py")["raised"]
    assert (raised["file"], raised["line"]) == (str(installed / "trainer" / "__init__.py"), line_of("in range"))
    assert (Path(raised["caller"]["file"]).name, raised["caller"]["line"]) == ("train.py", 3)


def test_where_an_installed_trainer_hangs_both_lines_are_told(installed: Path, tmp_path: Path) -> None:
    (tmp_path / "train ü.py").write_text("import trainer\n\ntrainer.fit(stuck=True)\n")
    row = watched(installed, tmp_path, "--stall-limit", "1", "train ü.py")
    assert [frame.get("whose", "own") for frame in row["stacks"][-1]["frames"]] == ["package", "own"]
    assert f"at __init__.py:{line_of('MP603')} (lock.acquire()  # MP603), called from train ü.py:3" in row["reason"]
    (hang,) = [one for one in row["findings"] if one["code"] == "MP603"]
    assert (hang["line"], hang["caller"]["line"]) == (line_of("MP603"), 3)
