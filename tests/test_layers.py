"""The walls between the rooms, read off the imports."""

import ast
import sys
from pathlib import Path

import pytest

import mlxprobe

PACKAGE = Path(mlxprobe.__file__).parent
FILES = sorted(file for file in PACKAGE.rglob("*.py") if "_scenarios" not in file.parts)
PURE = (
    "verdict.py",
    "twin.py",
    "compare.py",
    "vocabulary.py",
    "model.py",
    "expectation.py",
    "measures.py",
    "changes.py",
    "quantities.py",
    "bisection.py",
    "matrix.py",
    "diagnosis/",
    "reports/",
)
DOES_IO = {"subprocess", "socket", "tempfile", "shutil", "psutil", "threading", "urllib", "os", "time"}


def place(file: Path) -> str:
    return file.relative_to(PACKAGE).as_posix()


def imported(file: Path) -> set[str]:
    """Return the full names of all modules that a file imports, anywhere in it."""
    found = set()
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {node.module} | {f"{node.module}.{alias.name}" for alias in node.names}
    return found


@pytest.mark.parametrize("file", FILES, ids=place)
def test_only_the_agent_imports_mlx(file: Path) -> None:
    uses_mlx = any(name.split(".")[0] == "mlx" for name in imported(file))
    assert not uses_mlx or place(file).startswith("agent/")


@pytest.mark.parametrize("file", [file for file in FILES if place(file).startswith("agent/")], ids=place)
def test_the_agent_imports_the_standard_library_and_mlx_alone(file: Path) -> None:
    roots = {name.split(".")[0] for name in imported(file)} - sys.stdlib_module_names - {"mlx"}
    assert roots <= {"mlxprobe"}
    assert all(name.startswith("mlxprobe.agent") for name in imported(file) if name.startswith("mlxprobe."))


@pytest.mark.parametrize("file", [file for file in FILES if place(file).startswith(PURE)], ids=place)
def test_pure_rooms_do_no_io(file: Path) -> None:
    names = imported(file)
    assert not {name.split(".")[0] for name in names} & DOES_IO
    assert not any(name.startswith(("mlxprobe.supervisor", "mlxprobe.agent", "mlxprobe.cli")) for name in names)


@pytest.mark.parametrize("file", FILES, ids=place)
def test_only_the_command_line_prints_and_exits(file: Path) -> None:
    if place(file).startswith("cli/") or place(file).startswith("agent/"):
        return
    called = {node.func.id for node in ast.walk(ast.parse(file.read_text()))
              if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)}  # fmt: skip
    assert not called & {"print", "exit"}


@pytest.mark.parametrize("file", FILES, ids=place)
def test_a_module_stays_small(file: Path) -> None:
    assert len(file.read_text().splitlines()) <= 250
