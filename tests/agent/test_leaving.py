"""What a program was about to leave with, also where it ends as it likes."""

from __future__ import annotations

import sys
from types import SimpleNamespace
from typing import Any

import pytest

from mlxprobe.agent.leaving import Leaving, code_of

CODES = [((), 0), ((None,), 0), ((0,), 0), ((3,), 3), ((True,), 1), ((-1,), 255), (("out of data",), 1)]


@pytest.mark.parametrize(("given", "code"), CODES)
def test_codes_are_pythons_own(given: tuple[Any, ...], code: int) -> None:
    assert code_of(*given) == code


def test_it_is_told_unless_the_program_went_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "exit", sys.exit)
    recorder: Any = SimpleNamespace(evaluations=7)
    leaving = Leaving(recorder)
    told = [leaving.code]
    with pytest.raises(SystemExit, match="out of data"):
        sys.exit("out of data")
    told.append(leaving.code)
    recorder.evaluations += 1
    assert [*told, leaving.code] == [None, 1, None]
