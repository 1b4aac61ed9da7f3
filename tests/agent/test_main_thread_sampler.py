"""The line of a rank's own work is the innermost that takes most of the looks in which it evaluates nothing."""

import threading
from collections.abc import Callable
from typing import cast

import pytest

from mlxprobe.agent.introspection import call_site
from mlxprobe.agent.introspection.code_ownership import OWN, PACKAGE
from mlxprobe.agent.lifecycle.main_thread_sampler import ENOUGH, Work
from mlxprobe.agent.recording.recorder import Recorder
from mlxprobe.protocol.facts.ranks import OwnWork


class Told:
    """A recorder that keeps what it is told."""

    def __init__(self) -> None:
        self.facts: list[tuple[OwnWork, int]] = []

    def revise(self, fact: OwnWork, site: tuple[str, int]) -> None:
        self.facts.append((fact, site[1]))


def looked(work: Work) -> None:
    """Look from another thread, as the agent's own does."""
    other = threading.Thread(target=work.look)
    other.start()
    other.join()


def prepare(work: Work, look: Callable[[Work], None]) -> int:
    look(work)  # here
    return look.__code__.co_firstlineno


def test_the_line_of_most_of_the_work_is_told_with_what_led_there() -> None:
    evaluating, told = [False], Told()
    work = Work(lambda: evaluating[0])
    for _ in range(3):
        prepare(work, looked)
    looked(work)
    evaluating[0] = True
    looked(work)
    work.tell(cast(Recorder, told))
    ((fact, line),) = told.facts
    assert (fact.looks, fact.at_work) == (5, 4)
    assert line > looked.__code__.co_firstlineno
    assert any(f"test_main_thread_sampler.py:{prepare.__code__.co_firstlineno + 1}" in one for one in fact.way)


def test_of_a_rank_that_always_evaluates_nothing_is_told() -> None:
    told, work = Told(), Work(lambda: True)
    looked(work)
    work.tell(cast(Recorder, told))
    assert told.facts == []


def test_the_line_of_the_user_s_own_is_named_once_it_was_seen_often_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(call_site, "whose", lambda file: OWN if file == __file__ else PACKAGE)
    work = Work(lambda: False)
    for _ in range(ENOUGH):
        assert work.most() == ""
        prepare(work, looked)
    assert work.most().startswith("test_main_thread_sampler.py:")
