"""No program of the corpus has an object of its own asked for anything, in whatever scope that object is.

A sample by default; `MLXPROBE_CORPUS=all` takes every program, which `make corpus` does.
"""

from __future__ import annotations

import ast
import os
import shutil
import sys
from pathlib import Path

import pytest
from watching import GUARD_S

from mlxprobe.schema.observation import Limits, Program
from mlxprobe.supervisor.watch import observe

PROGRAMS = Path(__file__).parents[1] / "programs"
CORPUS = sorted([*(PROGRAMS / "faulty").glob("*.py"), *(PROGRAMS / "healthy").glob("*.py")])
EVERY = 1 if os.environ.get("MLXPROBE_CORPUS") == "all" else 80
LIMITS = Limits(stall_s=8.0, startup_s=GUARD_S, timeout_s=GUARD_S, memory_bytes=4_000_000_000)
RECORDED = ast.parse("from recording import CLASSED as c, MADE as m, NAMED as n, PLAIN as p, ROWS as r, SEVERAL as s")
RENAMED = {"c": "classed", "m": "made", "n": "named", "p": "plain", "r": "rows", "s": "several"}

pytestmark = pytest.mark.slow


def with_recorders(source: str, *, functions: bool) -> str:
    """Return a program with objects that record in its global scope, or in that of each of its functions."""
    tree = ast.parse(source)
    names = [ast.alias(one.name, f"recorded_{RENAMED[str(one.asname)]}") for one in RECORDED.body[0].names]  # type: ignore[attr-defined]
    scopes = [one for one in ast.walk(tree) if isinstance(one, ast.FunctionDef)] if functions else [tree]
    for scope in scopes:
        after = sum(isinstance(one, ast.ImportFrom) and one.module == "__future__" for one in scope.body)
        after += ast.get_docstring(scope, clean=False) is not None
        scope.body.insert(after, ast.ImportFrom("recording", names, 0))
    return ast.unparse(ast.fix_missing_locations(tree))


@pytest.mark.parametrize("functions", [False, True], ids=["globals", "locals"])
@pytest.mark.parametrize("file", CORPUS[::EVERY], ids=lambda file: file.stem)
def test_no_object_of_a_program_is_asked_for_anything(
    file: Path, functions: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copy(PROGRAMS / "recording.py", tmp_path)
    for beside in file.parent.glob("_*.py"):
        shutil.copy(beside, tmp_path)
    (tmp_path / file.name).write_text(with_recorders(file.read_text(), functions=functions))
    monkeypatch.setenv("RECORD_FILE", str(tmp_path / "record.txt"))
    program = Program(name=file.stem, argv=("script", str(tmp_path / file.name)), python=sys.executable)
    seen = observe(program, LIMITS, jit_key="tests")
    record = tmp_path / "record.txt"
    if not record.exists():  # ended by a signal, or by us
        pytest.skip(f"the program left no record: exit code {seen.exit_code}")
    assert [line for line in record.read_text().splitlines() if " by " in line] == []
