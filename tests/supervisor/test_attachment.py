"""One look at a process that runs: what was filmed counts."""

from __future__ import annotations

import math
import os
from typing import Any, ClassVar

import pytest

from mlxprobe.supervisor.attach import LONGEST, LONGEST_TURN_S, Attachment


class LateFilm:
    """A sampling that is over at the second question: after the time for looking is up."""

    cpu_s: ClassVar[dict[tuple[int, int], float]] = {}

    def __init__(self, pid: int) -> None:
        self._questions = 0
        self._pid = pid

    def is_over(self) -> bool:
        self._questions += 1
        return self._questions > 1

    def moved(self) -> set[tuple[int, int]]:
        return {(self._pid, 5)}

    def looks(self) -> dict[tuple[int, int], int]:
        return {(self._pid, 5): 100}


def test_what_a_film_shows_is_taken_in_however_late_it_is_over() -> None:
    one: Any = Attachment(os.getpid())
    one._counted_s = LONGEST * one.limit_s + 1
    one.started_s -= one._counted_s
    one.pyspy.numbers[os.getpid(), "MainThread"] = 5
    sampling = LateFilm(os.getpid())
    assert one._goes_on(sampling) or one._samples_on(sampling)
    one._goes_on(sampling)
    assert one.moved == {os.getpid()}


def test_on_a_busy_machine_a_look_has_as_many_turns_as_on_another(monkeypatch: pytest.MonkeyPatch) -> None:
    one: Any = Attachment(os.getpid())
    turns = 0
    monkeypatch.setattr("time.sleep", lambda _: None)
    while one._goes_on(LateFilm(os.getpid())):
        one._turned_s -= 5.0  # for which we got no processor
        one._pause()
        turns += 1
    assert turns == math.ceil(LONGEST * one.limit_s / LONGEST_TURN_S)
