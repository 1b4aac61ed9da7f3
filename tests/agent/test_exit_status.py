"""What a program was about to leave with, also where it ends as it likes."""

from __future__ import annotations

import contextlib
import gc
import subprocess
import sys
from types import SimpleNamespace
from typing import Any

import pytest

from mlxprobe.agent.lifecycle.exit_status import Leaving, code_of

CODES = [((), 0), ((None,), 0), ((0,), 0), ((3,), 3), ((True,), 1), ((-1,), 255), (("out of data",), 1)]
BEGINNING = """
import atexit, contextlib, os
from types import SimpleNamespace
from mlxprobe.agent.lifecycle.exit_status import Leaving
leaving = Leaving(SimpleNamespace(evaluations=7, carefully=contextlib.nullcontext))
atexit.register(lambda: os.write(1, str(leaving.code).encode()))
class Own(SystemExit): pass
try: raise SystemExit(5)
except SystemExit as error: error.code += 1; assert error.code == 6
"""
ENDS = [
    ("raise SystemExit('out of data')", "1", 1),
    ("raise SystemExit(3)", "3", 3),
    ("raise SystemExit", "0", 0),
    ("raise Own(9)", "9", 9),
    ("exit('out of data')", "1", 1),
    ("quit()", "0", 0),
    ("import sys; sys.exit(4)", "4", 4),
    ("import threading; one = threading.Thread(target=exit, args=(3,)); one.start(); one.join()", "None", 0),
    ("1 / 0", "None", 1),
    ("", "None", 0),
]


@pytest.fixture(autouse=True)
def _as_before() -> Any:
    attributes, leave = gc.get_referents(vars(SystemExit))[0], sys.exit
    code = attributes["code"]
    yield
    attributes["code"], sys.exit = code, leave


@pytest.mark.parametrize(("given", "code"), CODES)
def test_codes_are_pythons_own(given: tuple[Any, ...], code: int) -> None:
    assert code_of(*given) == code


def test_it_is_told_unless_the_program_went_on() -> None:
    recorder: Any = SimpleNamespace(evaluations=7, carefully=contextlib.nullcontext)
    leaving = Leaving(recorder)
    told = [leaving.code]
    with pytest.raises(SystemExit, match="out of data"):
        sys.exit("out of data")
    told.append(leaving.code)
    recorder.evaluations += 1
    assert [*told, leaving.code] == [None, 1, None]


@pytest.mark.slow
@pytest.mark.parametrize(("end", "told", "code"), ENDS, ids=[row[0] for row in ENDS])
def test_whatever_way_it_leaves(end: str, told: str, code: int) -> None:
    """A thread's end is not the program's."""
    ran = subprocess.run([sys.executable, "-c", BEGINNING + end], capture_output=True, text=True, check=False)
    assert (ran.stdout, ran.returncode) == (told, code), ran.stderr
