"""A limit that stands still while who is waited for has no processor, but not for ever."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from mlxprobe.supervisor import deadline
from mlxprobe.supervisor.deadline import MAX_LIMITS, Deadline


def waited_s(monkeypatch: pytest.MonkeyPatch, starved: list[bool], pause_s: float = 0.0) -> float:
    """Look until a limit of 0.1 s is over; a pause of our own comes between any two looks."""
    now = [0.0]

    def sleep(seconds: float) -> None:
        now[0] += seconds + pause_s

    monkeypatch.setattr(deadline, "time", SimpleNamespace(monotonic=lambda: now[0], sleep=sleep))
    one = Deadline(0.1, lambda: starved.pop(0) if len(starved) > 1 else starved[0])
    while one.lasts():
        pass
    return now[0]


def test_a_limit_is_kept_where_all_have_a_processor(monkeypatch: pytest.MonkeyPatch) -> None:
    assert 0.1 <= waited_s(monkeypatch, [False]) < 0.11


def test_looks_at_which_it_waits_for_a_processor_do_not_count(monkeypatch: pytest.MonkeyPatch) -> None:
    assert 0.3 <= waited_s(monkeypatch, [True] * 50 + [False]) < 0.31


def test_a_processor_that_never_comes_is_waited_for_no_longer_than(monkeypatch: pytest.MonkeyPatch) -> None:
    assert 0.1 * MAX_LIMITS <= waited_s(monkeypatch, [True]) < 0.1 * MAX_LIMITS + 0.01


def test_a_pause_of_our_own_is_not_its_silence(monkeypatch: pytest.MonkeyPatch) -> None:
    """It had no time to answer in, as far as we know: it gets five looks at least."""
    assert waited_s(monkeypatch, [False], pause_s=0.1) > 5 * 0.1
