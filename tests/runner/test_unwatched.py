"""A program that cannot run, or does not import MLX: one sentence names the Python and what to do."""

import ast
import sys
import venv
from pathlib import Path

import pytest
from running import PRELUDE, Ran, run, watch

from mlxprobe.agent import __file__ as agent
from mlxprobe.runner.unwatched import Unwatched, module_of, unwatched
from mlxprobe.supervisor.interpreter import Python

BOOTSTRAP = Path(agent).with_name("bootstrap")
HERE = Python(7, "3.11.7", sys.executable)
ISOLATE = [sys.executable, "-m", "mlxprobe", "isolate"]


def test_an_old_python_is_named_whatever_it_ended_with() -> None:
    old = Python(7, "2.7.18", "/usr/bin/python2")
    said = "/usr/bin/python2 (Python 2.7.18) is too old; Python 3.10 or later is needed"
    assert unwatched(["python2", "train.py"], 7, [old], 0) == Unwatched(said, misuse=True)


@pytest.mark.parametrize("code", [0, 3])
def test_a_command_without_a_python_is_no_misuse(code: int) -> None:
    found = unwatched(["make"], 7, [], code)
    assert "it started no Python, or one that did not load the agent" in found.reason and not found.misuse


def test_the_python_of_the_command_itself_is_named_before_those_that_it_starts() -> None:
    child = Python(8, "3.12.1", "/usr/bin/python3")
    assert str(HERE) in unwatched([sys.executable, "train.py"], 7, [HERE, child], 0).reason
    assert str(child) in unwatched(["uv", "run", "train.py"], 7, [HERE._replace(pid=9), child], 0).reason


@pytest.mark.parametrize(
    ("words", "module"),
    [
        ("python -m pack.train --m", "pack.train"),
        ("/usr/bin/python3.13t -u -W ignore -m x", "x"),
        ("python train.py -m x", ""),
        ("pythonic -m x", ""),
        ("python -c 0 -m x", ""),
    ],
)
def test_the_module_of_a_command(words: str, module: str) -> None:
    assert module_of(words.split()) == module


def test_every_python_can_read_what_it_imports_at_its_start() -> None:
    """Python 2 has no annotations, f-strings or keyword-only arguments."""
    whole = ast.parse((BOOTSTRAP / "sitecustomize.py").read_text(), feature_version=(3, 4))
    assert not [one for one in ast.walk(whole) if isinstance(one, (ast.FunctionDef, ast.AnnAssign, ast.JoinedStr))]
    assert not [one for one in ast.walk(whole) if isinstance(one, ast.ImportFrom)]


def bare(folder: Path, mlx: str | None = None) -> str:
    """Make a Python without MLX; or with one whose import fails."""
    venv.create(folder, with_pip=False)
    if mlx is not None:
        package = next(folder.glob("lib/python*/site-packages")) / "mlx"
        package.mkdir()
        (package / "core.py").write_text(mlx)
    return str(folder / "bin" / "python")


def said(ran: Ran) -> str:
    assert "MLX was never imported" not in ran.err and "Python ignores its environment" not in ran.err
    assert "0.0 MB" not in ran.err
    return " ".join((ran.err + ran.out).split())


def unbroken(text: str) -> str:
    """Return a text without its blanks: a narrow table breaks a long path in the middle."""
    return "".join(text.split())


NO_BACKEND = "raise ImportError('libmlx.so: cannot open shared object file')"
CANNOT_RUN = [
    ("a Python without MLX", None, ["train.py"], "cannot import mlx.core (ModuleNotFoundError: No module named 'mlx'"),
    ("no backend", NO_BACKEND, ["train.py"], "cannot import mlx.core (ImportError: libmlx.so: cannot open"),
    ("no such module", "", ["-m", "nosuch"], "has no module nosuch: install it there"),
    ("no such module in a package", "", ["-m", "json.nosuch"], "has no module json.nosuch"),
    ("a folder as a module", "", ["-m", "folder"], "has no module folder.__main__"),
]


@pytest.mark.slow
@pytest.mark.parametrize("command", ["watch", "isolate"])
@pytest.mark.parametrize(("mlx", "words", "told"), [row[1:] for row in CANNOT_RUN], ids=[row[0] for row in CANNOT_RUN])
def test_what_cannot_run_is_told_with_its_python_and_exit_code_2(
    command: str, mlx: str | None, words: list[str], told: str, tmp_path: Path
) -> None:
    (tmp_path / "train.py").write_text(PRELUDE)
    (tmp_path / "folder").mkdir()
    python = bare(tmp_path / "other", mlx)
    ran = run([sys.executable, "-m", "mlxprobe", command, "--python", python, *words], tmp_path)
    assert unbroken(f"{python} (Python {sys.version.split()[0]}) {told}") in unbroken(said(ran))
    assert "install it" in said(ran) or "folder" in told or "json" in told
    assert ran.code == 2


USAGE = [
    ("no interpreter", ["--python", "/nowhere/python", "train.py"], "--python /nowhere/python: there is no such"),
    ("a folder as interpreter", ["--python", "folder", "train.py"], "--python folder: there is no such interpreter"),
    ("a file that is no program", ["--python", "./train.py", "train.py"], "--python ./train.py: there is no such"),
    ("a folder as script", ["folder"], "folder: is a folder without __main__.py"),
    ("no such command", ["--", "nosuch", "x"], "cannot start nosuch: No such file or directory"),
    ("a file that cannot be executed", ["--", "./garbage"], "cannot start ./garbage: Exec format error"),
    ("no such script of a command", ["--", sys.executable, "nosuch.py"], "nosuch.py: there is no such script"),
]


@pytest.mark.slow
@pytest.mark.parametrize("command", ["watch", "isolate"])
@pytest.mark.parametrize(("words", "told"), [row[1:] for row in USAGE], ids=[row[0] for row in USAGE])
def test_wrong_usage_is_one_sentence(command: str, words: list[str], told: str, tmp_path: Path) -> None:
    (tmp_path / "train.py").write_text(PRELUDE)
    (tmp_path / "folder").mkdir()
    (tmp_path / "garbage").write_text("no program")
    (tmp_path / "garbage").chmod(0o755)
    ran = run([sys.executable, "-m", "mlxprobe", command, *words], tmp_path)
    assert (ran.code, ran.out) == (2, "")
    assert ran.err.startswith(f"mlxprobe: {told}") and ran.err.count("\n") == 1


ITS_OWN = [
    ("a syntax error", "def f(:", 1, "it left with exit code 1 before it imported MLX, run by "),
    ("an import that fails", "import nosuch", 1, "it left with exit code 1 before it imported MLX, run by "),
    ("an exit code", "raise SystemExit(3)", 3, "it left with exit code 3 before it imported MLX, run by "),
    ("no MLX at all", "print('done')", 0, f"{sys.executable} (Python {sys.version.split()[0]}) did not import MLX"),
]


@pytest.mark.slow
@pytest.mark.parametrize(("source", "code", "told"), [row[1:] for row in ITS_OWN], ids=[row[0] for row in ITS_OWN])
def test_a_program_that_does_not_come_to_mlx_keeps_its_exit_code(
    source: str, code: int, told: str, tmp_path: Path
) -> None:
    (tmp_path / "train.py").write_text(source)
    ran = watch(tmp_path, "train.py")
    assert f"unjudged: {told}" in said(ran) and unbroken(sys.executable) in unbroken(ran.err)
    assert ran.code == code


@pytest.mark.slow
def test_a_folder_with_a_main_file_is_a_program(tmp_path: Path) -> None:
    (tmp_path / "pack").mkdir()
    (tmp_path / "pack" / "__main__.py").write_text(PRELUDE + "print(train(30))")
    ran = watch(tmp_path, "pack")
    assert ran.code == 0 and "55 steps" in ran.err
