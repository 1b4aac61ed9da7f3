"""Which signals the reaper hands on: those that the program has not got already."""

import os
import signal
import time

import pytest

from mlxprobe.supervisor.reaper import hand_on

USR1 = int(signal.SIGUSR1)


@pytest.mark.parametrize(
    ("ours", "came", "handed_on", "left"),
    [
        ([], -3.0, 1, 0),  # it went to the supervisor alone
        ([-3.0], -3.0, 0, 0),
        ([-6.0], -3.0, 0, 0),  # the supervisor's handler ran late
        ([-0.3], -3.0, 0, 0),  # we did
        ([-3.05, -3.0], -3.0, 0, 0),  # two that the supervisor heard of as one
        ([-3.0, -1.0], -3.0, 0, 1),  # the second is still to be asked for
        ([-100.0], -3.0, 1, 0),
    ],
)
def test_what_came_to_the_whole_group_is_handed_on_to_nobody(
    ours: list[float], came: float, handed_on: int, left: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = time.monotonic()
    sent: list[tuple[int, int]] = []
    monkeypatch.setattr(os, "kill", lambda pid, number: sent.append((pid, number)))
    shared = {USR1: [now + one for one in ours]} if ours else {}
    asked = {USR1: (now + came, now - 0.2)}
    hand_on(7, asked, shared)
    assert not asked and sent == [(7, USR1)] * handed_on
    assert len(shared.get(USR1, [])) == left
