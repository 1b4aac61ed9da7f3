"""What is imported before a program is started: modules are counted, for time depends on who else computes."""

import subprocess
import sys
from pathlib import Path

import pytest
from watching import GUARD_S

from mlxprobe.supervisor.reaper_client import REAPER

TELL = "import sys; print(*sys.modules)"
AFTERWARDS = {"msgspec", "rich", "psutil", "scipy", "numpy", "markdown_it", "packaging", "tomllib", "difflib", "pytest"}
STARTED = """
import sys
import mlxprobe.supervisor.child as child
def stopped(*args, **kwargs):
    print(*sys.modules)
    sys.exit()
child.Child.__init__ = stopped
sys.argv = ["mlxprobe", "watch", "train.py"]
from mlxprobe.cli import entry_point
entry_point()
"""


def told(program: str, folder: Path, *flags: str) -> set[str]:
    """Return the modules that a program names."""
    order = [sys.executable, *flags, "-c", program]
    ran = subprocess.run(order, capture_output=True, text=True, check=True, timeout=GUARD_S, cwd=folder)
    return set(ran.stdout.split())


@pytest.mark.slow
def test_a_program_is_started_before_what_watches_and_judges_it_is_imported(tmp_path: Path) -> None:
    (tmp_path / "train.py").write_text("")
    there = told(STARTED, tmp_path)
    assert not {name for name in there if name.split(".")[0] in AFTERWARDS}
    rooms = {name.split(".")[1] for name in there if name.startswith("mlxprobe.")}
    assert not rooms & {"reports", "diagnosis", "verdict", "catalogue", "upgrade", "releases"}
    assert len(there - told("import click\n" + TELL, tmp_path)) <= 84  # 84 today


@pytest.mark.slow
def test_a_reaper_imports_next_to_nothing(tmp_path: Path) -> None:
    flags = REAPER[1:3]
    program = REAPER[-1].replace("reaper.main(sys.argv[1:])", "reaper.kin.adopt('')\n") + TELL
    there = told(program, tmp_path, *flags) - told(TELL, tmp_path, *flags)
    assert len(there) <= 34, sorted(there)  # 31 today: enum and ctypes


@pytest.mark.slow
@pytest.mark.parametrize("words, called", [(["watch", "train.py"], True), (["doctor"], False)])
def test_a_reaper_is_called_before_a_command_line_is_read(words: list[str], called: bool, tmp_path: Path) -> None:
    program = f"""
import sys
from mlxprobe.supervisor import reaper_client
reaper_client.call = lambda **_: print("click" in sys.modules)
sys.argv[1:] = {words!r}
sys.modules["mlxprobe.cli.common"] = None
from mlxprobe.cli import entry_point
try:
    entry_point()
except ImportError:
    pass
"""
    assert told(program, tmp_path) == ({"False"} if called else set())
