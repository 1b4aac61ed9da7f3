"""The lines that run are noted while they are followed, and another tracer is left alone."""

from __future__ import annotations

import sys
from types import FrameType
from typing import Any

from mlxprobe.agent.compiled.captured_reads import MOST, Lines


def branches(flag: bool, turns: int = 0) -> int:
    total = 0
    if flag:
        total += 1
    for _ in range(turns):
        total += 2
    return total


FIRST = branches.__code__.co_firstlineno


def test_lines_of_branches_that_are_not_taken_have_not_run() -> None:
    lines = Lines()
    assert lines.have_run(branches.__code__, FIRST + 3)  # not followed yet
    before = sys.gettrace()
    sys.settrace(None)
    try:
        for flag in (True, False):
            with lines.followed():
                branches(flag)
            assert [lines.have_run(branches.__code__, FIRST + k) for k in (1, 2, 3, 5, 6)] == [
                True,
                True,
                flag,
                False,
                True,
            ]
        with lines.followed():
            branches(False, turns=MOST)  # more lines than are followed
        assert lines.have_run(branches.__code__, FIRST + 5)
        assert sys.gettrace() is None
    finally:
        sys.settrace(before)


def test_a_tracer_that_is_there_stays_and_all_lines_count() -> None:
    def other(frame: FrameType, event: str, argument: Any) -> None:
        return None

    before, lines = sys.gettrace(), Lines()
    sys.settrace(other)
    try:
        with lines.followed():
            assert sys.gettrace() is other
            branches(False)
    finally:
        sys.settrace(before)
    assert lines.have_run(branches.__code__, FIRST + 3)
