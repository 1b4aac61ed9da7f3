"""An exception that a program shows and goes on from is not the one that ended it."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from running import PRELUDE, report_of

SHOWN = """
import sys
try: 1 / 0
except ZeroDivisionError:
    sys.last_type, sys.last_value, sys.last_traceback = sys.exc_info()
    sys.excepthook(*sys.exc_info())
"""
CONSOLE = "import code\ncode.interact(banner='', local=globals(), exitmsg='')\n"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("program", "words", "typed", "code", "outcome"),
    [
        (PRELUDE + SHOWN, ("train.py",), "", 0, "pass"),
        (PRELUDE + SHOWN + "sys.exit(3)", ("train.py",), "", 3, "error"),
        (PRELUDE + CONSOLE, ("train.py",), "1/0\n", 0, "pass"),
        (PRELUDE, ("--", sys.executable, "-i", "train.py"), "1/0\nprint(2)\n", 0, "pass"),
    ],
    ids=["shown by the program", "and an exit code", "in a console", "in an interactive Python"],
)
def test_an_error_that_ended_nothing(
    program: str, words: tuple[str, ...], typed: str, code: int, outcome: str, tmp_path: Path
) -> None:
    (tmp_path / "train.py").write_text(program)
    ran, row = report_of(tmp_path, *words, stdin=typed)
    assert ran.code == code, ran
    assert (row["outcome"], row.get("raised")) == (outcome, None)
    assert "ZeroDivisionError" not in str(row["reason"])
    assert "left early" not in [one["name"] for one in row.get("remarks", ())]


@pytest.mark.slow
def test_one_that_ended_it_after_another_was_shown(tmp_path: Path) -> None:
    ends = "try: sys.exit(0)\nexcept SystemExit: pass\nraise KeyError('gone')\n"
    (tmp_path / "train.py").write_text(PRELUDE + SHOWN + ends)
    ran, row = report_of(tmp_path, "train.py")
    assert (ran.code, row["outcome"], row["raised"]["type"]) == (1, "error", "KeyError")


@pytest.mark.slow
def test_a_handler_that_raises_at_the_end_hides_no_ending(tmp_path: Path) -> None:
    ends = "import signal\ndef late(*_): raise KeyError\nsignal.signal(signal.SIGALRM, late)\n"
    for delay in ("1e-4", "1e-3", "3e-3"):
        (tmp_path / "train.py").write_text(f"{PRELUDE}{ends}signal.setitimer(signal.ITIMER_REAL, {delay})\n")
        ran, row = report_of(tmp_path, "train.py")
        early = [one["name"] for one in row.get("remarks", ()) if one["name"] == "left early"]
        assert ran.code != 0 or early == [], (delay, ran)
