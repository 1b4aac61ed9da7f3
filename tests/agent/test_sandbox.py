"""Programs whose every call changes all state: a replay by any user leaves no trace, and each restore counts."""

import functools
import sys
from pathlib import Path

import pytest
from running import report_of, run

RESTLESS = Path(__file__).parents[1] / "programs" / "restless.py"
USERS = ("plain", "rows", "causality", "functional", "nan", "compiled")
RESTORES = {  # what goes wrong where one is not made
    "Saved _put_back": {"calls", "private"},
    "Saved lend": {"cache"},
    "SavedKey put_back": {"mlx"},
    "Generators put_back": {"numpy", "python"},
    "CompileSwitch turn_on": {"traces"},
}


@functools.cache
def bare(user: str) -> dict[str, str]:
    return shown(run([sys.executable, str(RESTLESS), user], RESTLESS.parent).out)


def shown(text: str) -> dict[str, str]:
    found = dict(line.split(" ", 1) for line in text.splitlines())
    assert len(found) == 11, text
    return found


def changed(user: str, folder: Path, removed: str = "") -> set[str]:
    """Name what is not as in a run without us."""
    ran, _ = report_of(folder, str(RESTLESS), user, *removed.split())
    return {name for name, value in shown(ran.out).items() if value != bare(user)[name]}


@pytest.mark.slow
@pytest.mark.parametrize("user", USERS)
def test_a_replay_leaves_no_trace(user: str, tmp_path: Path) -> None:
    assert changed(user, tmp_path) == set()


@pytest.mark.slow
@pytest.mark.parametrize("removed", RESTORES)
@pytest.mark.parametrize("user", USERS)
def test_a_program_shows_a_restore_that_is_not_made(user: str, removed: str, tmp_path: Path) -> None:
    assert RESTORES[removed] <= changed(user, tmp_path, removed)
