"""The timeline of ranks: what it shows, where it begins and ends, and what it says to those who cannot see it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
import pytest
from lanes import built, cut_off, elsewhere, healthy, waiting
from making import record, record_row
from pages import hostile, ranks

from mlxprobe.reports.html import render
from mlxprobe.reports.html.context import page
from mlxprobe.reports.html.timeline import LAST, timeline
from mlxprobe.runner.judging import judged_all
from mlxprobe.schema.observation import Observation, Raised

LIBRARY = "window.library = 1;"
LATE: dict[str, Any] = {"evaluating_s": 0.71, "detection_s": 6.71}
BAD = Raised(type="ValueError", message="bad batch", file="train.py", line=22)


def drawn(*seen: Observation) -> dict[str, Any]:
    made = timeline(judged_all(seen))
    assert made is not None
    return made


def test_each_collective_has_its_marks_and_the_hang_its_bar() -> None:
    made = drawn(waiting(0, "gmgmgmg", **LATE), waiting(1, "gmgmgmm", line=34, **LATE))
    assert made["ranks"] == ["rank 0", "rank 1"]
    assert [(one["rank"], one["x"], one["x2"], one["done"]) for one in made["spans"]][6:8] == [
        ("rank 0", 0.7, 0.7, False), ("rank 1", 0.1, 0.12, True)]  # fmt: skip
    assert [(one["rank"], one["x"]) for one in made["waits"]] == [("rank 0", 0.71), ("rank 1", 0.71)]
    assert [one["what"] for one in made["words"]] == ["7 all_sum, 6.0 s →"] * 2
    assert made["told"] == (
        "rank 0: 6 collectives finished, waits at train.py:35 in 7 all_sum (64,) float32, train.py:31 since 6.0 s; "
        "rank 1: 6 collectives finished, waits at train.py:34 in 7 all_sum () float32, train.py:33 since 6.0 s."
    )


def test_a_long_wait_leaves_room_for_what_was_before_it() -> None:
    long: dict[str, Any] = {"evaluating_s": 0.71, "detection_s": 6000.0}
    begins, ends = drawn(waiting(0, "gmgmgmg", **long), waiting(1, "gmgmgmm", **long))["domain"]
    assert begins < 0.1 and 0.71 < ends < 1.1


def test_a_short_wait_is_shown_whole() -> None:
    short: dict[str, Any] = {"evaluating_s": 0.71, "detection_s": 0.8}
    made = drawn(waiting(0, "gmgmgmg", **short), waiting(1, "gmgmgmm", **short))
    assert made["domain"][1] == 0.8
    assert [one["what"] for one in made["words"]] == ["7 all_sum, 90.0 ms"] * 2


WORDS: list[tuple[str, Sequence[Observation], list[str]]] = [
    ("all well", (healthy(0, "gg"), healthy(1, "gg")), []),
    ("one stands elsewhere", (waiting(0, "gg", evaluating_s=0.21, detection_s=6.21),
                              elsewhere(1, "g", detection_s=6.21)), ["2 all_sum, 6.0 s →", "elsewhere, 6.0 s →"]),
    ("one has come to its end", (waiting(0, "gg", evaluating_s=0.21, detection_s=6.21), healthy(1, "g")),
     ["2 all_sum, 6.0 s →", "came to its end"]),
    ("one raised", (cut_off(0, "gg"), healthy(1, "g", exit_code=1, finished=False, raised=BAD)),
     ["lost its peer at train.py:9", "raised ValueError at train.py:22"]),
]  # fmt: skip


@pytest.mark.parametrize(("seen", "words"), [row[1:] for row in WORDS], ids=[row[0] for row in WORDS])
def test_it_says_how_each_rank_ends(seen: Sequence[Observation], words: list[str]) -> None:
    assert [one["what"] for one in drawn(*seen)["words"]] == words


def test_it_begins_some_collectives_before_the_first_rank_stopped() -> None:
    made = drawn(healthy(0, "g" * 200), healthy(1, "g" * 100))
    shown = {name: [one["x"] for one in made["spans"] if one["rank"] == name] for name in made["ranks"]}
    assert len(shown["rank 1"]) == LAST
    assert shown["rank 0"][:LAST] == shown["rank 1"]


def test_there_is_none_without_times_or_ranks() -> None:
    compiled = tuple(msgspec.structs.replace(one, traced=True) for one in built("g"))
    assert timeline(judged_all([healthy(rank, collectives=compiled) for rank in (0, 1)])) is None
    assert page((record(),), (), {}).sections[0].ranks == ()


def test_a_page_has_the_table_and_the_timeline_before_the_programs() -> None:
    shown = render(ranks(), (), LIBRARY)
    main = shown.split("<main")[1]
    assert main.index("waits at train.py:34 [MP701]") < main.index('data-key="ranks"') < main.index("<details")
    assert '"words":[{"rank":"rank 0"' in shown


def test_a_variant_with_ranks_has_its_table_among_its_evidence() -> None:
    shown = render(record(record_row(ranks=ranks().programs)), (), LIBRARY).split("<details")[1]
    assert shown.index("<h4>Ranks</h4>") < shown.index("waits at train.py:34 [MP701]")


def test_hostile_names_stay_texts() -> None:
    (one,) = page((hostile(),), (), {}).sections[0].ranks
    assert one.chart is not None
    told = " ".join(one.lines[0]) + str(one.chart)
    assert "window.hit" in told
    assert not {"\u202e", "\x1b", "\x00"} & set(told)


def test_times_that_are_no_numbers_draw_all_the_same() -> None:
    nan = float("nan")
    seen = [healthy(k, "gm") for k in range(2)]
    odd = [
        msgspec.structs.replace(
            one, collectives=tuple(msgspec.structs.replace(row, built_s=nan) for row in one.collectives)
        )
        for one in seen
    ]
    assert drawn(*odd)["ranks"] == ["rank 0", "rank 1"]
