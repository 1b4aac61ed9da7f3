"""Ranks of which nothing is heard: who must move, and where no move helps."""

from __future__ import annotations

from typing import Any

import pytest
from lanes import built, elsewhere, healthy, message, waiting

from mlxprobe.diagnosis.ranks.wait_for_graph import keeping
from mlxprobe.schema.observation import Collective, Observation


def stands(rank: int, words: str, size: int = 2, **changes: Any) -> Observation:
    """Return a rank that waits in its last collective; nothing is proved so far."""
    return waiting(rank, words, size=size, silence=None, **changes)


def waits_for(n: int, operation: str, peer: int) -> Collective:
    """Return one end of a message that has not come."""
    return message(n, operation, peer, begun_s=0.5, done_s=None)


NOBODY: set[int] = set()
CASES = [
    ("they wait in what is not the same", (stands(0, "gg"), stands(1, "gv")), NOBODY),
    ("one of many waits in another", tuple(stands(k, "gv" if k == 5 else "gg", size=8) for k in range(8)), NOBODY),
    ("they wait in the same: a machine may be slow", (stands(0, "gg"), stands(1, "gg")), {0, 1}),
    ("one is still in the collective before", (stands(0, "gg"), stands(1, "g")), {0, 1}),
    ("one stands elsewhere", (stands(0, "gg"), elsewhere(1, "g", silence=None)), {1}),
    ("one stands elsewhere, and has built as much", (stands(0, "gg"), elsewhere(1, "gg", silence=None)), {1}),
    ("two of four stand elsewhere",
     (stands(0, "gg", 4), elsewhere(1, "g", silence=None), stands(2, "gg", 4), elsewhere(3, "g", silence=None)),
     {1, 3}),
    ("one has ended without it", (stands(0, "ggg"), healthy(1, "gg")), NOBODY),
    ("one has ended with as many", (stands(0, "gg"), healthy(1, "gg")), {0}),
    ("nobody waits", (elsewhere(0, "g", silence=None), elsewhere(1, "g", silence=None)), {0, 1}),
    ("what did not fit is long past",
     (stands(0, "gvm"), stands(1, "", collectives=built("gwm", waits=True))), {0, 1}),
    ("each receives what the other has never sent",
     (stands(0, "", collectives=(waits_for(1, "recv", 1),)), stands(1, "", collectives=(waits_for(1, "recv", 0),))),
     NOBODY),
    ("a message is on its way",
     (stands(0, "", collectives=(waits_for(1, "recv", 1),)), stands(1, "", collectives=(waits_for(1, "send", 0),))),
     {0, 1}),
    ("one waits for a message of one that waits for a third, which may yet send",
     (stands(0, "", 3, collectives=(waits_for(1, "recv", 1),)),
      stands(1, "", 3, collectives=(waits_for(1, "recv", 2),)),
      stands(2, "", 3, collectives=(waits_for(1, "send", 1),))),
     {0, 1, 2}),
    ("one receives what one that has ended never sent",
     (stands(0, "", collectives=(waits_for(1, "recv", 1),)), healthy(1, "")), NOBODY),
    ("all have ended", (healthy(0, "gg"), healthy(1, "gg")), None),
    ("one rank alone", (stands(0, "gg"),), None),
]  # fmt: skip


@pytest.mark.parametrize(("ranks", "right"), [case[1:] for case in CASES], ids=[case[0] for case in CASES])
def test_who_keeps_the_others(ranks: tuple[Observation, ...], right: set[int] | None) -> None:
    assert keeping(ranks) == right


def test_what_a_rank_has_not_told_it_may_have_built() -> None:
    ranks = [stands(k, "", collectives=(waits_for(1, "recv", 1 - k),)) for k in (0, 1)]
    assert keeping(ranks, heard={100, 101}) == NOBODY
    assert keeping(ranks, heard={100}) == {0, 1}
