"""The user's own programs, end to end on this interpreter: what their declaration says is what happens."""

import json
import sys
import time
import venv
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from mlxprobe.cli import main

HERE = f"python={sys.executable}"
PROJECT = """
[tool.mlxprobe.programs.place]
command = "python train.py 'two words' --smoke"
folder = "deep"
environment = { COLOUR = "blue" }

[tool.mlxprobe.programs.module]
command = ["python", "-m", "deep.train"]

[tool.mlxprobe.programs.console]
command = "ours --version"

[tool.mlxprobe.programs.stuck]
command = "python stuck.py"
stall-limit-s = 0.5

[tool.mlxprobe.programs.endless]
command = "python endless.py"
timeout-s = 1.5
"""
TRAIN = """
import json, os, sys
import mlx.core
seen = {"folder": os.getcwd(), "words": sys.argv[1:], "colour": os.environ.get("COLOUR", "")}
open(os.environ["SEEN"] + "/" + (seen["colour"] or "none") + ".json", "w").write(json.dumps(seen))
"""
ENDLESS = """
import time, mlx.core as mx
while True:
    mx.eval(mx.ones(3) + 1)
    time.sleep(0.05)
"""


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "pyproject.toml").write_text(PROJECT)
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / "train.py").write_text(TRAIN)
    (tmp_path / "stuck.py").write_text("import time, mlx.core\ntime.sleep(9999)\n")
    (tmp_path / "endless.py").write_text(ENDLESS)
    tools = tmp_path / "tools"
    tools.mkdir()
    (tools / "ours").write_text(f"#!{sys.executable}\nimport sys, mlx.core\nassert sys.argv[1:] == ['--version']\n")
    (tools / "ours").chmod(0o755)
    monkeypatch.setenv("PATH", str(tools), prepend=":")
    monkeypatch.setenv("SEEN", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def call(*arguments: str) -> Result:
    return CliRunner().invoke(main, arguments)


def outcomes(folder: Path, *patterns: str, code: int = 0) -> dict[str, dict[str, object]]:
    """Run programs once each, and return their rows by name."""
    words = [word for one in patterns for word in ("--scenario", f"programs/{one}")]
    done = call("matrix", "current", *words, "--format", "json", "--output", str(folder / "out.json"))
    assert done.exit_code == code, done.output
    (record,) = json.loads((folder / "out.json").read_text())["records"]
    return {row.get("variant") or row["program"]: row for row in record["programs"]}


@pytest.mark.slow
def test_folder_words_and_environment_are_as_declared(project: Path) -> None:
    rows = outcomes(project, "place", "module", "console")
    assert {name: row["outcome"] for name, row in rows.items()} == dict.fromkeys(("place", "module", "console"), "pass")
    place, module = (json.loads((project / f"{one}.json").read_text()) for one in ("blue", "none"))
    assert place == {"folder": str(project / "deep"), "words": ["two words", "--smoke"], "colour": "blue"}
    assert module == {"folder": str(project), "words": [], "colour": ""}


@pytest.mark.slow
def test_limits_are_as_declared(project: Path) -> None:
    began_s = time.monotonic()
    outcomes(project, "place")
    enough_s = round(1 + 2 * (time.monotonic() - began_s), 1)
    (project / "pyproject.toml").write_text(PROJECT.replace("timeout-s = 1.5", f"timeout-s = {enough_s}"))
    rows = outcomes(project, "stuck", "endless", code=2)  # a run that a limit ends says nothing
    assert {name: row["outcome"] for name, row in rows.items()} == {"stuck": "hang", "endless": "slow"}
    assert rows["stuck"]["limits"]["stall_s"] == 0.5  # type: ignore[index]
    assert rows["endless"]["limits"]["timeout_s"] == enough_s  # type: ignore[index]


COMPARED = [
    ("everything by default", "", 1),
    ("only what is asked for", 'compare = ["finding", "error"]', 0),
    ("only what neither side shows", 'compare = ["loss", "peak"]', 2),
]


@pytest.mark.slow
@pytest.mark.parametrize(("line", "code"), [case[1:] for case in COMPARED], ids=[case[0] for case in COMPARED])
def test_only_the_aspects_declared_are_compared(line: str, code: int, project: Path) -> None:
    (project / "pyproject.toml").write_text(f'[tool.mlxprobe.programs.mine]\ncommand = "python mine.py"\n{line}\n')
    venv.create(project / "other", with_pip=False)
    site = next((project / "other").glob("lib/python*/site-packages"))
    (site / "ours.pth").write_text(str(next(Path(sys.prefix).glob("lib/python*/site-packages"))))
    (project / "mine.py").write_text("import sys, mlx.core\nsys.exit(sys.prefix.endswith('other'))\n")
    other = f"python={project / 'other' / 'bin' / 'python'}"
    done = call("gate", "--baseline", HERE, "--candidate", other, "--scenario", "programs/mine")
    assert done.exit_code == code, done.output
    assert ("mine: regression" in done.output) is (code == 1)


LACKS = [
    ("a package", "import nosuch", "unjudged", f"{sys.executable} (Python "),
    ("a module of MLX", "import mlx.nosuch", "error", "ModuleNotFoundError: No module named 'mlx.nosuch'"),
    ("a program's own words", "raise ModuleNotFoundError('install it')", "error", "ModuleNotFoundError: install it"),
]


@pytest.mark.slow
@pytest.mark.parametrize(("source", "outcome", "reason"), [row[1:] for row in LACKS], ids=[row[0] for row in LACKS])
def test_a_package_that_an_environment_lacks_says_nothing_of_mlx(
    source: str, outcome: str, reason: str, project: Path
) -> None:
    (project / "stuck.py").write_text(source)
    row = outcomes(project, "stuck", code=2)["stuck"]  # nothing could be compared
    assert row["outcome"] == outcome and str(row["reason"]).startswith(reason)
    assert ("has no module nosuch; install it there" in str(row["reason"])) is (outcome == "unjudged")


@pytest.mark.slow
def test_a_module_that_is_not_there_is_wrong_usage(project: Path) -> None:
    done = call("gate", "--baseline", HERE, "--", "python", "-m", "deep.nosuch")
    assert done.exit_code == 2
    assert f"mlxprobe: {sys.executable} (Python " in done.output
    assert "has no module deep.nosuch; install it there" in done.output
