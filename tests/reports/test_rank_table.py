"""The table by rank: where each has come, what it waits in; one line for those that are alike."""

from __future__ import annotations

import math
from collections.abc import Sequence

import msgspec
import pytest
from lanes import built, cut_off, elsewhere, hashed, healthy, message, waiting
from making import record, record_row

from mlxprobe.diagnosis import diagnose_ranks
from mlxprobe.protocol.fact import Fact
from mlxprobe.protocol.facts.ranks import StateGiven
from mlxprobe.reports import diagnosis, markdown, ranks, text
from mlxprobe.runner.judging import judged_all
from mlxprobe.schema.from_record import observation
from mlxprobe.schema.observation import Observation, Place, Process, Raised, Sighting
from mlxprobe.schema.record import ProgramRecord
from mlxprobe.schema.record_io import decode, encode

BAD = Raised(type="ValueError", message="bad batch", file="train.py", line=22)
SKIPS = (waiting(0, "gmgmgmg"), waiting(1, "gmgmgmm", line=34))
TABLES = [
    ("a rank went on without a collective", SKIPS, [
        ("0", "4", "6", "7 all_sum (64,) float32, train.py:31", "waits at train.py:35", "6.0 s"),
        ("1", "3", "6", "7 all_sum () float32, train.py:33", "waits at train.py:34 [MP701]", "6.0 s")]),
    ("all is well", tuple(healthy(rank, "gmgm", size=4) for rank in range(4)), [
        ("0–3", "2", "4", "4 all_sum () float32, train.py:33", "came to its end", "–")]),
    ("some of many wait", (*(waiting(rank, "gg", size=5) for rank in (0, 1, 2, 4)), elsewhere(3, "g", size=5)), [
        ("0–2, 4", "2", "1", "2 all_sum (64,) float32, train.py:31", "waits at train.py:35", "6.0 s"),
        ("3", "1", "1", "1 all_sum (64,) float32, train.py:31", "stands at train.py:60 [MP701]", "–")]),
    ("ranks that nobody has seen", (healthy(0, "g", size=4),), [
        ("0", "1", "1", "1 all_sum (64,) float32, train.py:31", "came to its end", "–"),
        ("1–3", "–", "–", "–", "not watched", "–")]),
    ("one raised, one lost its peer", (cut_off(0, "gg"), healthy(1, "g", exit_code=1, finished=False, raised=BAD)), [
        ("0", "2", "1", "2 all_sum (64,) float32, train.py:31", "lost its peer at train.py:9", "–"),
        ("1", "1", "1", "1 all_sum (64,) float32, train.py:31", "raised ValueError at train.py:22 [MP704]", "–")]),
    ("one was killed, the other is ended", (healthy(0, "g", exit_code=-15, finished=False, ended="abandoned"),
                                            healthy(1, "g", exit_code=-9, finished=False)), [
        ("0", "1", "1", "1 all_sum (64,) float32, train.py:31", "was ended", "–"),
        ("1", "≥ 1", "≥ 1", "1 all_sum (64,) float32, train.py:31", "was ended by SIGKILL [MP704]", "–")]),
    ("several in one evaluation",
     tuple(waiting(rank, "", collectives=built("gGw", waits=True, together=True)) for rank in (0, 1)), [
        ("0, 1", "0", "0", "1 all_sum (64,) float32, train.py:31, and 2 more", "waits at train.py:35", "6.0 s")]),
    ("compiled, and so not counted",
     tuple(healthy(rank, "", collectives=tuple(msgspec.structs.replace(one, traced=True) for one in built("g")))
           for rank in (0, 1)), [
        ("0, 1", "0", "–", "1 all_sum (64,) float32, train.py:31", "came to its end", "–")]),
    ("messages count too", (healthy(0, collectives=(message(1, "send", 1), message(2, "recv", 1))),
                            healthy(1, collectives=(message(1, "recv", 0), message(2, "send", 0)))), [
        ("0", "0", "2", "2 recv (4,) float32, train.py:51", "came to its end", "–"),
        ("1", "0", "2", "2 send (4,) float32, train.py:50", "came to its end", "–")]),
    ("a part of the group", tuple(healthy(rank, collectives=built("g", group=f"world/0.{rank}")) for rank in (0, 1)), [
        (f"{rank}", "0", "1", f"1 all_sum (64,) float32 of world/0.{rank}, train.py:31", "came to its end", "–")
        for rank in (0, 1)]),
    ("one rank alone", (healthy(0, "g", size=1),), []),
    ("processes without ranks", (healthy(0, "g", process=Process(pid=1)), healthy(0, "g", process=Process(pid=2))), []),
]  # fmt: skip


@pytest.mark.parametrize(("seen", "right"), [row[1:] for row in TABLES], ids=[row[0] for row in TABLES])
def test_the_table_says_where_each_rank_has_come(seen: Sequence[Observation], right: list[tuple[str, ...]]) -> None:
    assert ranks.lines(judged_all(seen)) == right


START, GIVEN = hashed(1, "a", 1.0), Sighting(
    fact=StateGiven(what="weights"), step=1, file="<cell 3>", line=2, source="model.load_weights(file)",
    caller=Place(file="train.py", line=4),
)  # fmt: skip
APART: list[tuple[str, list[tuple[Sighting[Fact], ...]]]] = [
    ("parameters differ", [(START, hashed(2, f"{rank}", rank)) for rank in (0, 1)]),
    ("one rank's are not finite", [(START, hashed(2, f"{rank}", value)) for rank, value in ((0, 1.0), (1, math.nan))]),
    ("one rank was given weights", [(START, *[GIVEN] * rank, hashed(2, f"{rank}", rank)) for rank in (0, 1)]),
]
COMPARED = [(row[0], row[1]) for row in TABLES if row[2]] + [
    (name, tuple(healthy(rank, "ggg", sightings=seen) for rank, seen in enumerate(sightings)))
    for name, sightings in APART
]


@pytest.mark.parametrize("seen", [row[1] for row in COMPARED], ids=[row[0] for row in COMPARED])
def test_a_record_has_all_that_its_ranks_are_compared_by(seen: Sequence[Observation]) -> None:
    rows = decode(encode(record(*judged_all(seen))), "memory").programs
    assert diagnose_ranks([observation(one) for one in rows]) == diagnose_ranks(seen)


def of(seen: Sequence[Observation]) -> tuple[ProgramRecord, ...]:
    return judged_all(seen)


def test_the_text_ends_with_the_table() -> None:
    told = diagnosis.render(record(*of(SKIPS)), width=110)
    assert told.splitlines()[-3:] == [
        "rank  steps  finished  collective                            where                         since",
        "0         4         6  7 all_sum (64,) float32, train.py:31  waits at train.py:35          6.0 s",
        "1         3         6  7 all_sum () float32, train.py:33     waits at train.py:34 [MP701]  6.0 s",
    ]


def test_a_variant_with_ranks_has_its_table_where_it_is_not_as_expected() -> None:
    for right in (True, False):
        made = record(record_row(as_expected=right, ranks=of(SKIPS)))
        for told in (text.render(made, width=120), markdown.render(made)):
            assert ("waits at train.py:34 [MP701]" in told) is not right


def test_a_single_process_has_no_table() -> None:
    for told in (diagnosis.render(record(*of([healthy(0, "g", size=1)]))), markdown.render(record(record_row()))):
        assert "finished" not in told


def test_markdown_has_the_table_and_what_was_found() -> None:
    told = markdown.render(record(*of(SKIPS)))
    assert "| 1 | 3 | 6 | 7 all_sum () float32, train.py:33 | waits at train.py:34 [MP701] | 6.0 s |" in told
    assert told.count("- train.py:31: MP701 error rank-behind: rank 1 never built number 7") == 1


@pytest.mark.parametrize(
    ("given", "told"),
    [((0, 1, 2, 3), "0–3"), ((5, 0, 1), "0, 1, 5"), ((0, 2, 3, 4, 9), "0, 2–4, 9"), ((), "")],
)
def test_ranks_are_written_in_short(given: tuple[int, ...], told: str) -> None:
    assert ranks.numbers(given) == told
