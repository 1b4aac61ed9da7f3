"""What several ranks show together, each beside a run that looks like it and is right."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from lanes import built, cut_off, elsewhere, hashed, healthy, message, process, waiting
from making import seen

from mlxprobe.diagnosis import RULES, diagnose, diagnose_ranks
from mlxprobe.protocol.fact import Fact
from mlxprobe.protocol.facts.data import ConstantLevel
from mlxprobe.protocol.facts.processes import ChildEnded, ThreadEnded
from mlxprobe.protocol.facts.ranks import (
    AskedToLeave,
    GradientsRead,
    ModelMade,
    OwnWork,
    ReducedInVain,
    Rounds,
    WeightsWritten,
)
from mlxprobe.runner.judging import judged_all
from mlxprobe.schema.enums import Severity
from mlxprobe.schema.merge_ranks import said_once
from mlxprobe.schema.observation import Collective, Observation, Raised, Sample, Sighting, Step
from mlxprobe.schema.record import Finding
from mlxprobe.schema.run_summary import Optimizer, Sheet

ERROR, WARNING = Severity.ERROR, Severity.WARNING
LEARNT = "gmgmgm"  # three steps, by which the way of the loop is known


def told(*ranks: Observation) -> list[tuple[str, Severity, int, tuple[int, ...]]]:
    """Return code, severity, line and ranks of what is found."""
    return [(one.code, one.severity, one.line, one.ranks) for one in diagnose_ranks(ranks)]


def steps(*gradients: int) -> tuple[Step, ...]:
    return tuple(Step(n=n, t_s=0.1 * n, step_s=0.01, gradients=k) for n, k in enumerate(gradients, 1))


HANGS = [
    ("a rank goes on without one collective", (waiting(0, LEARNT + "g"), waiting(1, LEARNT + "m")),
     ("MP701", ERROR, 31, (1,))),
    ("rank 0 validates alone", (waiting(0, "gggv"), waiting(1, "gggg")), ("MP701", ERROR, 40, (0,))),
    ("rank 0 validates alone after the first step", (waiting(0, "gv"), waiting(1, "gg")),
     ("MP701", ERROR, 40, (0,))),
    ("rank 1 validates alone after the first step", (waiting(0, "gg"), waiting(1, "gv")),
     ("MP701", ERROR, 40, (1,))),
    ("one of three goes on without", (waiting(0, "g", size=3), waiting(1, "m", size=3), waiting(2, "g", size=3)),
     ("MP701", ERROR, 40, (1,))),
    ("a rank stands elsewhere", (waiting(0, "ggg"), elsewhere(1, "gg")), ("MP701", ERROR, 31, (1,))),
    ("another order from the start", (waiting(0, "g"), waiting(1, "w", collectives=built("G"))),
     ("MP702", ERROR, 31, (0, 1))),
    ("another shape at one line", (waiting(0, "ggg"), waiting(1, "ggG")), ("MP702", ERROR, 31, (0, 1))),
    ("a metric read on rank 0 alone", (waiting(0, LEARNT, line=38), waiting(1, LEARNT + "g")),
     ("MP703", WARNING, 38, (0,))),
    ("a metric read before the update's evaluation", (waiting(0, LEARNT, line=38), waiting(1, LEARNT)),
     ("MP703", WARNING, 38, (0, 1))),
]  # fmt: skip


@pytest.mark.parametrize(("ranks", "right"), [case[1:] for case in HANGS[:4] + HANGS[5:]],
                         ids=[case[0] for case in HANGS[:4] + HANGS[5:]])  # fmt: skip
def test_a_hang_is_told_with_its_rank_and_its_line(ranks: Sequence[Observation], right: tuple[Any, ...]) -> None:
    assert told(*ranks) == [right]


@pytest.mark.parametrize(
    ("ranks", "advice"),
    [
        ((waiting(0, "v"), waiting(1, "g")), "on every rank"),
        ((waiting(0, "gm"), waiting(1, "mg")), ""),
        ((waiting(0, "ggg"), waiting(1, "ggG")), ""),
    ],
    ids=["one of two lines on each", "another order", "another shape at one line"],
)
def test_an_order_is_advised_where_an_order_is_wrong(ranks: Sequence[Observation], advice: str) -> None:
    (found,) = [one for one in diagnose_ranks(ranks) if one.code == "MP702"]
    assert advice in found.instead and bool(advice) is bool(found.instead)


def test_of_three_the_odd_one_is_told_even_at_the_first_collective() -> None:
    found = told(waiting(0, "g", size=3), waiting(1, "m", size=3), waiting(2, "g", size=3))
    assert [(code, ranks) for code, _, _, ranks in found] == [("MP701", (1,))]


def test_a_hang_reads_as_a_sentence() -> None:
    (one,) = diagnose_ranks((waiting(0, LEARNT + "g"), waiting(1, LEARNT + "m", line=34)))
    assert one.message == (
        "rank 1 never built number 7 (all_sum, (64,) float32, train.py:31, step 4): it went on to (all_sum, () "
        "float32, train.py:33, step 3); rank 0: waits at train.py:35 (mx.eval(value)) since 6.0 s; rank 1: waits at "
        "train.py:34 (mx.eval(value)) since 6.0 s"
    )


ENDS = [
    ("a batch less", (cut_off(0, "gggg"), healthy(1, "ggg")), ("MP708", ERROR, 31, (1,))),
    ("a batch less, and a hang", (waiting(0, "gggg"), healthy(1, "ggg")), ("MP708", ERROR, 31, (1,))),
    ("a step left out after its gradient", (cut_off(0, "gggg"), healthy(1, "ggg", steps=steps(1, 2, 1))),
     ("MP701", ERROR, 31, (1,))),
    ("validation at the end, on rank 0 alone", (cut_off(0, "gggv"), healthy(1, "ggg")), ("MP701", ERROR, 40, (0,))),
    ("a last metric that rank 1 never evaluates",
     (cut_off(0, "gm"), healthy(1, "gm", collectives=(built("gm")[0], msgspec.structs.replace(
         built("gm")[1], begun_s=None, done_s=None)))), ("MP703", ERROR, 9, (1,))),
    ("one more in the middle, paired with what came next", (cut_off(0, "mmvmm"), healthy(1, "mmmm")),
     ("MP701", ERROR, 40, (0,))),
]  # fmt: skip


@pytest.mark.parametrize(("ranks", "right"), [case[1:] for case in ENDS], ids=[case[0] for case in ENDS])
def test_what_the_ring_ends_with_a_lost_peer_is_told_by_its_cause(
    ranks: Sequence[Observation], right: tuple[Any, ...]
) -> None:
    assert told(*ranks) == [right]


@pytest.mark.parametrize(
    ("words", "counts", "notes"),
    [("gggggg", (14, 6), 1), ("gggggg", (7, 6), 0), ("gggggg", (14, 14), 0), ("gg", (14, 9), 0)],
    ids=["one trains on", "for a step", "both do", "they reduce now and then"],
)
def test_a_rank_that_trains_on_when_the_others_have_ended_is_noted(
    words: str, counts: tuple[int, int], notes: int
) -> None:
    ranks = [healthy(rank, words, steps=steps(*[1] * count)) for rank, count in enumerate(counts)]
    assert told(*ranks) == [("MP708", Severity.NOTE, 31, (0,))] * notes


def test_who_leaves_with_a_code_is_lost_however_orderly() -> None:
    left = healthy(1, "ggg", exit_code=1)
    assert told(cut_off(0, "gggg"), left) == [("MP704", ERROR, 0, (1,))]


def test_what_a_mismatch_makes_of_parameters_follows_from_it() -> None:
    ranks = [with_prints(k, "gg" + "gG"[k] + "g", (2, "a", 1.0), (4, "bc"[k], 1.0 + k)) for k in (0, 1)]
    found = diagnose_ranks(ranks)
    assert [(one.code, one.follows) for one in found] == [("MP702", ""), ("MP705", "MP702")], found


def test_a_step_of_more_gradients_is_one_among_many() -> None:
    found = diagnose_ranks((cut_off(0, "gggggv"), healthy(1, "ggggg", steps=steps(1, 4, 4, 4, 4))))
    assert "not" not in found[0].message.partition("never built")[2], found


def layers(rank: int, words: str, **changes: Any) -> Observation:
    """Return a rank that builds all in one layer, led there by the line of a letter."""
    rows = built("G" * len(words), waits="waits" in changes)
    lines = {"t": "model.py:9 < train.py:31", "v": "model.py:9 < train.py:40"}
    rows = tuple(
        msgspec.structs.replace(one, file="model.py", line=9, way=lines.get(word, f"model.py:9 < train.py:{word}"))
        for one, word in zip(rows, words, strict=True)
    )
    return (waiting if changes.pop("waits", False) else cut_off if changes.pop("cut", False) else healthy)(
        rank, "", collectives=rows, **changes
    )


def test_what_one_layer_builds_is_told_apart_by_the_lines_that_led_there() -> None:
    """Seen with sharded layers: rank 0 alone evaluated, and the other was said to be behind, many steps later."""
    (found,) = diagnose_ranks((layers(0, "ttvttvt", cut=True), layers(1, "tttttt")))
    assert (found.code, found.ranks, found.line, found.evidence["number"]) == ("MP701", (0,), 9, 3)
    assert "rank 0 alone built number 3" in found.message and "called at train.py:40" in found.message
    assert told(layers(0, "ttvttv"), layers(1, "ttvttv")) == []
    (found,) = diagnose_ranks((layers(0, "5555", cut=True), layers(1, "777")))  # each has a branch of its own
    assert "alone" not in found.message


RIGHT = [
    ("both alike", (healthy(0, LEARNT), healthy(1, LEARNT))),
    ("rank 0 saves and logs without a collective", (healthy(0, "ggg", wall_s=9.0), healthy(1, "ggg"))),
    ("another order within one evaluation",
     (healthy(0, collectives=built("gG", together=True)), healthy(1, collectives=built("Gg", together=True)))),
    ("another order, evaluated one by one on one rank",
     (healthy(0, collectives=built("gG")), healthy(1, collectives=built("Gg", together=True)))),
    ("branches of their own lines for the same collective", (healthy(0, "gwg"), healthy(1, "ggg"))),
    ("other parts of the group do other things",
     (healthy(0, "gg"), healthy(1, "gg"),
      *(healthy(k, collectives=(*built("gg"), *built("mmv" if k == 2 else "GGG", group=f"world/0.{k % 2}")), size=4)
        for k in (2, 3)))),
    ("a pipeline", (healthy(0, collectives=(message(1, "send", 1), message(2, "recv", 1))),
                    healthy(1, collectives=(message(1, "recv", 0), message(2, "send", 0))))),
    ("a slow rank, still behind", (healthy(0, "ggg", ended="running", finished=False, exit_code=None),
                                   healthy(1, "gg", ended="running", finished=False, exit_code=None))),
    ("other numbers of steps, and nothing between ranks", (healthy(0, "", steps=steps(1, 1, 1)), healthy(1, ""))),
    ("traced again on one rank, for a last batch",
     (cut_off(0, collectives=tuple(msgspec.structs.replace(one, traced=True) for one in built("gg")), words="gg"),
      healthy(1, collectives=tuple(msgspec.structs.replace(one, traced=True) for one in built("g"))))),
]  # fmt: skip


@pytest.mark.parametrize("ranks", [case[1] for case in RIGHT], ids=[case[0] for case in RIGHT])
def test_what_only_looks_odd_is_left_alone(ranks: Sequence[Observation]) -> None:
    assert told(*ranks) == []


def test_sequences_that_differ_are_told_where_nothing_hung_but_not_as_proved() -> None:
    ((code, severity, line, ranks),) = told(healthy(0, "ggmg"), healthy(1, "ggGg"))
    assert (code, severity, ranks) == ("MP702", WARNING, (0, 1)) or (code, severity, ranks)[:2] == ("MP701", WARNING)
    assert line in {31, 33}


def test_ranks_are_compared_by_number_where_the_oldest_are_gone() -> None:
    cut = built("ggggggg")[2:]
    assert told(waiting(0, "", collectives=cut), waiting(1, "ggggggg")) == []
    ((code, _, _, _),) = told(waiting(0, "", collectives=cut), waiting(1, "ggggGgg"))
    assert code == "MP702"


def counted(rows: Sequence[Collective], *told: int) -> tuple[Collective, ...]:
    """Return what a rank had told of a long sequence: some numbers, and all from the last of them."""
    nth: dict[tuple[int, str], int] = {}
    numbered = []
    for one in rows:
        end = one.peer, one.operation if one.peer >= 0 else ""
        nth[end] = nth.get(end, 0) + 1
        numbered.append(msgspec.structs.replace(one, nth=nth[end], built_s=0.1 * one.n))
    return tuple(one for one in numbered if one.n in told or one.n >= told[-1])


def test_what_was_never_told_in_between_hides_no_hang() -> None:
    """A rank that trains for hours tells of the last collectives alone, once it hangs."""
    long = "g" * 40
    ahead = waiting(0, "", collectives=counted(built(long + "v", waits=True), 1, 2, 33))
    ((code, severity, line, ranks),) = told(ahead, waiting(1, "", collectives=counted(built(long), 1, 3, 30)))
    assert (code, severity, line, ranks) == ("MP701", ERROR, 40, (0,))
    ((code, _, _, ranks),) = told(
        waiting(0, "", collectives=counted(built(long, waits=True), 1, 33)),
        waiting(1, "", collectives=counted(built("g" * 35 + "v" + "g" * 5, waits=True), 1, 30)),
    )
    assert (code, ranks) == ("MP701", (1,))


def test_messages_are_numbered_where_the_oldest_are_gone() -> None:
    sent = [message(n, "send", 1, built_s=n, done_s=n + 0.5, begun_s=n + 0.1) for n in range(1, 41)]
    received = [message(n, "recv", 0, built_s=n, done_s=n + 0.5, begun_s=n + 0.1) for n in range(1, 40)]
    late = [msgspec.structs.replace(received[-1], n=40, done_s=None), msgspec.structs.replace(received[-1], n=41)]
    ranks = (
        waiting(0, "", collectives=counted(sent[:39], 1, 30), evaluating_s=None),
        waiting(1, "", collectives=counted([*received, *late[:1]], 1, 25)),
    )
    ((code, severity, _, blamed),) = told(*ranks)
    assert (code, severity, blamed) == ("MP701", ERROR, (0,))
    (one,) = diagnose_ranks(ranks)
    assert "rank 1 receives message 40 from rank 0" in one.message


def test_who_receives_what_nobody_sends_explains_what_it_never_came_to() -> None:
    waits = (*built("gg"), message(3, "recv", 1, done_s=None, built_s=1.0, begun_s=1.1))
    ahead = (*built("gg", waits=False), msgspec.structs.replace(built("ggg")[2], n=3))
    rows = (*waits, msgspec.structs.replace(built("ggg")[2], n=4, begun_s=None, done_s=None, built_s=1.2))
    ranks = (cut_off(0, "", collectives=rows), healthy(1, "ggg", collectives=ahead))
    assert [(code, blamed) for code, _, _, blamed in told(*ranks)] == [("MP701", (1,))]


def test_who_waits_for_a_message_that_nobody_sends_is_not_blamed_for_what_it_never_came_to() -> None:
    """Without the message the collective is what is told."""
    ours = (*built("gg", waits=False), *built("ggv")[2:])
    theirs = built("gg", waits=False)
    wants = message(3, "recv", 0, done_s=None, built_s=9.0, begun_s=9.1)
    left = told(waiting(0, "", collectives=ours), waiting(1, "", collectives=(*theirs, wants)))
    assert [(code, line) for code, _, line, _ in left] == [("MP701", wants.line)]
    alone = told(waiting(0, "", collectives=ours), healthy(1, "", collectives=theirs))
    assert [(code, line) for code, _, line, _ in alone] == [("MP701", ours[-1].line)]


def leaves(names: str, *, together: bool = False) -> tuple[Collective, ...]:
    """Return reductions of one step, of gradients with these letters for names."""
    rows = built("m" * len(names), together=together)
    return tuple(msgspec.structs.replace(row, leaf=leaf, step=1) for row, leaf in zip(rows, names, strict=True))


@pytest.mark.parametrize(
    ("ours", "theirs", "codes"),
    [
        (leaves("abc"), leaves("acb"), ["MP702"]),
        (leaves("abc"), leaves("abc"), []),
        (leaves("abc"), leaves("xyz"), []),  # models of their own, or called otherwise
        (leaves("abc", together=True), leaves("acb", together=True), []),  # MLX orders what one evaluation holds
    ],
    ids=["another order", "the same", "other names", "in one evaluation"],
)
def test_gradients_of_one_shape_that_meet_another_are_told_by_their_names(
    ours: tuple[Collective, ...], theirs: tuple[Collective, ...], codes: list[str]
) -> None:
    found = diagnose_ranks((healthy(0, "", collectives=ours), healthy(1, "", collectives=theirs)))
    assert [one.code for one in found] == codes
    assert all("(all_sum of b, " in one.message and "(all_sum of c, " in one.message for one in found)


def test_a_rank_that_never_comes_is_told_with_the_thread_that_has_ended_in_it() -> None:
    died = Sighting(fact=ThreadEnded(thread="T", type="E", message="bad"), file="train.py", line=21)
    late = elsewhere(1, "gg", sightings=(died,))
    (one,) = diagnose_ranks((waiting(0, "ggg"), late))
    assert one.code == "MP701" and "; the thread T has ended at train.py:21: E: bad;" in one.message


def test_a_rank_that_never_comes_is_told_with_the_worker_that_has_ended_badly() -> None:
    for name, word in (("Process-1", "; its process Process-1 has left with exit code 13;"), ("", "step 3); rank 0")):
        ended = Sighting(fact=ChildEnded(pid=9, status=13, worker=True, name=name))
        late = elsewhere(1, "gg", sightings=(ended,))
        (one,) = diagnose_ranks((waiting(0, "ggg"), late))
        assert one.code == "MP701" and word in one.message


def lost(rank: int, **changes: Any) -> Observation:
    return healthy(rank, "gg", **{"finished": False, "exit_code": -9} | changes)


BAD = Raised(type="ValueError", message="bad batch", file="train.py", line=22)
DEATHS = [
    ("killed", (cut_off(0, "ggg"), lost(1)), ("MP704", ERROR, 0, (1,))),
    ("raises", (cut_off(0, "ggg"), lost(1, exit_code=1, raised=BAD)), ("MP704", ERROR, 22, (1,))),
    ("raises, and the launcher ends the rest", (lost(0, exit_code=-15), lost(1, exit_code=1, raised=BAD)),
     ("MP704", ERROR, 22, (1,))),
    ("others wait for ever", (waiting(0, "ggg"), lost(1, exit_code=None)), ("MP704", ERROR, 0, (1,))),
    ("others had all they needed", (healthy(0, "ggg"), lost(1, exit_code=3)), ("MP704", WARNING, 0, (1,))),
]  # fmt: skip


@pytest.mark.parametrize(("ranks", "right"), [case[1:] for case in DEATHS], ids=[case[0] for case in DEATHS])
def test_the_rank_that_went_first_is_told(ranks: Sequence[Observation], right: tuple[Any, ...]) -> None:
    assert told(*ranks) == [right]


def test_all_raise_the_same_and_nobody_is_lost_to_others() -> None:
    assert told(lost(0, exit_code=1, raised=BAD), lost(1, exit_code=1, raised=BAD)) == []
    assert told(lost(0, exit_code=-15), lost(1, exit_code=-15)) == []


def test_messages_whose_ends_do_not_meet() -> None:
    sent = healthy(0, collectives=(message(1, "send", 1), message(2, "send", 1)))
    one, two = (message(k, "recv", 0) for k in (1, 2))
    assert told(sent, healthy(1, collectives=(one,))) == [("MP701", WARNING, 51, (1,))]
    assert told(healthy(0, collectives=sent.collectives[:1]), cut_off(1, "", collectives=(one, two))) == [
        ("MP701", ERROR, 50, (0,))
    ]
    other = msgspec.structs.replace(two, shape=(8,))
    assert told(sent, waiting(1, "", collectives=(one, other))) == [("MP702", ERROR, 50, (0, 1))]


def passed_on(rank: int, size: int, rounds: int, leaves: int = -1) -> Observation:
    """Return a rank that receives from the one before it and sends to the next; in the `leaves`th round it does not."""
    words = [word for k in range(rounds) for word in ("recv", *(["send"] * (k != leaves)))] + ["recv"]
    ends = {"recv": (rank - 1) % size, "send": (rank + 1) % size}
    rows = tuple(
        message(n, word, ends[word], line={"recv": 61, "send": 62}[word], built_s=float(n), begun_s=n + 0.1,
                done_s=None if n == len(words) else n + 0.2)
        for n, word in enumerate(words, 1)
    )  # fmt: skip
    return waiting(rank, "", size=size, collectives=rows)


def test_of_ranks_that_wait_in_a_circle_the_one_that_left_a_message_out_is_told() -> None:
    """Seen in a pipeline: all were said to be behind, each for the next."""
    ranks = (passed_on(0, 3, 6), passed_on(1, 3, 7, leaves=6), passed_on(2, 3, 6))
    assert told(*ranks) == [("MP701", ERROR, 61, (1,))]


def test_a_rank_that_left_the_loop_early_has_fewer_batches_though_it_builds_what_follows() -> None:
    early = healthy(1, "gggv", sheet=Sheet(gradients=3))
    behind = cut_off(0, "gggg", sheet=Sheet(gradients=4))
    assert told(behind, early) == [("MP708", ERROR, 31, (1,))]
    (one,) = diagnose_ranks((behind, early))
    assert one.message.startswith("rank 1 has fewer batches than the others (3 against 4 of rank 0), and went on to")
    as_many = msgspec.structs.replace(early, sheet=Sheet(gradients=4))
    assert told(behind, as_many) == [("MP701", ERROR, 40, (1,))]


def test_a_rank_that_died_in_what_does_not_fit_died_of_it() -> None:
    """MPI ends a rank whose ends do not fit."""
    died = healthy(1, "ggG", ended="exited", exit_code=15, finished=False, collectives=built("ggG", waits=True))
    ranks = (cut_off(0, "ggg", raised=None, exit_code=-15), died)
    found = diagnose(ranks[1], diagnose_ranks(ranks))
    assert [(one.code, one.severity, one.follows) for one in found] == [
        ("MP702", ERROR, ""),
        ("MP704", ERROR, "MP702"),
    ]
    assert "; rank 1 left with exit code 15 in it" in found[0].message
    before = msgspec.structs.replace(died, collectives=built("ggG"))
    assert ("MP702", WARNING) in [row[:2] for row in told(ranks[0], before)]


def with_prints(rank: int, words: str, *bits: tuple[int, str, float], **changes: Any) -> Observation:
    return healthy(rank, words, sightings=tuple(hashed(*one) for one in bits), **changes)


def also(one: Observation, *more: Fact, step: int = 0) -> Observation:
    """Return what has been seen of a rank, with more facts."""
    return msgspec.structs.replace(one, sightings=(*one.sightings, *(Sighting(fact=fact, step=step) for fact in more)))


def test_parameters_that_part_though_their_gradients_are_averaged() -> None:
    start, later = (1, "a", 1.0), (2, "b", 1.5)
    assert told(*(with_prints(rank, "gggg", start, later) for rank in (0, 1))) == []
    apart = with_prints(1, "gggg", (1, "c", 2.0), (2, "d", 2.5))
    assert told(with_prints(0, "gggg", start, later), apart) == [("MP705", ERROR, 30, (0, 1))]
    rounded = with_prints(1, "gggg", start, (2, "d", 1.5 + 1e-6))
    assert told(with_prints(0, "gggg", start, later), rounded) == [("MP705", WARNING, 30, (0, 1))]


REDUCED_AT_5 = tuple(msgspec.structs.replace(one, step=5) for one in built("g"))
SGD = Optimizer("SGD", ((1, 0.1), (2, 0.1), (4, 0.1)))
OTHER_SETTINGS = [
    ("by nothing that is known", SGD, True),
    ("by another rate", Optimizer("SGD", ((1, 0.01), (2, 0.01))), False),
    ("by another schedule", Optimizer("SGD", ((1, 0.1),), "cosine"), False),
    ("by another decay", Optimizer("SGD", SGD.rates, weight_decay=0.1), False),
    ("by another kind", Optimizer("Lion", SGD.rates), False),
    ("with a momentum", Optimizer("SGD", SGD.rates, settings={"momentum": "0.9"}), False),
    ("by a schedule that ends a batch later", Optimizer("SGD", ((1, 0.1), (2, 0.1), (4, 0.09))), True),
]


@pytest.mark.parametrize(
    ("other", "is_told"), [row[1:] for row in OTHER_SETTINGS], ids=[row[0] for row in OTHER_SETTINGS]
)
def test_ranks_that_update_otherwise_on_purpose_need_no_mean(other: Optimizer, is_told: bool) -> None:
    sheets = Sheet(optimizers=(SGD,)), Sheet(optimizers=(other,))
    for words in ("mm", ""):
        ranks = [
            with_prints(k, words, (1, "a", 1.0), (2, "bc"[k], 1.0 + k), steps=steps(1, 1, 1, 1), sheet=sheets[k])
            for k in (0, 1)
        ]
        assert ("MP706" in [one[0] for one in told(*ranks)]) is is_told
    much = [msgspec.structs.replace(one, steps=steps(*[1] * 40), collectives=REDUCED_AT_5) for one in ranks]
    assert told(*(also(one, ReducedInVain(at=5), step=40) for one in much)) != [], "all was reduced"


def read(step: int, values: str, batch: str, sharded: bool = False) -> Fact:
    """Return what a rank has computed at a step, and of which batch."""
    return GradientsRead(
        at=step, of="weight", calls=1, values=tuple(map(float, values * 2)), sizes=(len(values),), rows=32,
        batch=tuple(batch.split()), sharded=sharded, optimizer="SGD", scale=1.0, scaled_at="train.py:9",
    )  # fmt: skip


ON_PURPOSE = [
    ("the same batches, other gradients", lambda k: (read(1, "12", "a"), read(2, f"{k}7", "b")), "mm", False),
    ("a batch of its own each", lambda k: (read(1, "12", "a"), read(2, f"{k}7", f"b{k}")), "mm", False),
    ("other gradients from other batches", lambda k: (read(1, f"{k}2", f"a{k}"), read(2, f"{k}7", "b")), "mm", True),
    ("parts of layers", lambda k: (read(1, f"{k}2", "", True), read(2, f"{k}7", "", True)), "mm", False),
    ("other gradients from what is not seen", lambda k: (read(1, f"{k}2", ""), read(2, f"{k}7", "")), "mm", True),
    ("the same gradients, and updated otherwise", lambda k: (read(1, "12", ""), read(2, f"{k}7", "")), "", False),
    ("each its own file", lambda k: (WeightsWritten(path=f"fold-{k}"),), "", False),
    ("all one file", lambda k: (WeightsWritten(path="weights"),), "", True),
    ("a file of rank 0's", lambda k: (WeightsWritten(path="weights"),) * (not k), "", True),
    (
        "files of their own, beside a mean of losses at each step",
        lambda k: (WeightsWritten(path=f"part-{k}"),),
        "gggg",
        True,
    ),
]


@pytest.mark.parametrize(
    ("facts", "words", "is_told"), [row[1:] for row in ON_PURPOSE], ids=[row[0] for row in ON_PURPOSE]
)
def test_ranks_that_are_a_search_need_no_mean(facts: Any, words: str, is_told: bool) -> None:
    rows = tuple(msgspec.structs.replace(one, shape=()) for one in built(words))
    ranks = [
        with_prints(k, words, (1, "a", 1.0), (2, "bc"[k], 1.0 + k), steps=steps(1, 1, 1, 1), collectives=rows)
        for k in (0, 1)
    ]
    ranks = [also(one, *facts(k)) for k, one in enumerate(ranks)]
    assert ("MP706" in [one[0] for one in told(*ranks)]) is is_told


def test_shards_and_halves_of_a_model_are_not_meant_to_be_equal() -> None:
    for words in ("mmmm", ""):  # what is reduced is no gradient
        assert told(with_prints(0, words, (1, "a", 1.0)), with_prints(1, words, (1, "b", 2.0))) == []
    other = with_prints(1, "gggg", (1, "b", 2.0))
    renamed = msgspec.structs.replace(other, sightings=(hashed(1, "b", 2.0, of="another"),))
    assert told(with_prints(0, "gggg", (1, "a", 1.0)), renamed) == []


def test_ranks_that_average_now_and_then_are_left_alone() -> None:
    rows = tuple(one for one in built("gggg") if one.step == 4)
    rows = tuple(msgspec.structs.replace(one, n=1) for one in rows)
    ranks = [with_prints(k, "gggg", (1, "a", 1.0), (2, "bc"[k], 1.0 + k), collectives=rows) for k in (0, 1)]
    assert told(*ranks) == []


def test_several_train_from_one_start_and_nothing_is_averaged() -> None:
    four = steps(1, 1, 1, 1)
    start = (1, "a", 1.0)
    ranks = [with_prints(k, "mm", start, (2, "bc"[k], 1.0 + k), steps=four) for k in (0, 1)]
    assert told(*ranks) == [("MP706", WARNING, 30, (0, 1))]
    many = steps(*[1] * 40)
    once = [
        with_prints(k, "", start, (2, "bc"[k], 1.0 + k), (6, "de"[k], 2.0 + k), steps=many, collectives=REDUCED_AT_5)
        for k in (0, 1)
    ]
    assert told(*once) == [("MP706", WARNING, 30, (0, 1))]
    unknown = [msgspec.structs.replace(one, sightings=one.sightings[:2]) for one in once]
    assert told(*unknown) == []  # they may have come together
    assert told(*(also(one, ReducedInVain(at=5), step=40) for one in unknown)) != []
    part = (hashed(6, "d", 2.0), hashed(6, "e", 2.0))
    together = [msgspec.structs.replace(one, sightings=(*one.sightings[:2], part[k])) for k, one in enumerate(once)]
    assert told(*together) == []
    same = [with_prints(k, "mm", start, (2, "b", 1.0), steps=four) for k in (0, 1)]
    assert told(*same) == []  # all see the same data
    seeds = [with_prints(k, "mm", (1, "ab"[k], 1.0 + k), steps=four) for k in (0, 1)]
    assert told(*seeds) == []  # runs of their own, as a search for a rate has them
    alone = [msgspec.structs.replace(one, process=process(k, size=0)) for k, one in enumerate(ranks)]
    assert told(*alone) == []  # launched together, and no group


def paced(rank: int, own: float, wanted: float = 0.0, late_s: float = 0.0, **changes: Any) -> Observation:
    """Return a rank of 40 steps in 4 s: which share of a processor it used for itself, and wanted; its ring spins."""
    calls = changes.pop("calls", 1)
    forty = tuple(Step(n=n, t_s=0.1 * n, step_s=0.1, gradients=calls) for n in range(1, 41))
    samples = tuple(
        Sample(t_s=0.1 * k, rss_bytes=1, cpu_s=0.1 * k, own_s=0.1 * k * own, wanted_s=0.1 * k * (wanted or own))
        for k in range(45)
    )
    rows = tuple(
        msgspec.structs.replace(one, begun_s=one.built_s + late_s, done_s=one.built_s + 0.07) for one in built("g" * 40)
    )
    return healthy(rank, "g" * 40, **{"steps": forty, "samples": samples, "collectives": rows} | changes)


AFTER_THE_LOOP = tuple(msgspec.structs.replace(one, step=40) for one in built("g"))


def late(usually_s: float, at_times_s: float, every: int) -> tuple[Collective, ...]:
    """Return the collectives of a rank that is usually late by one time, and at each so manieth by another."""
    return tuple(
        msgspec.structs.replace(one, begun_s=one.built_s + (usually_s if one.n % every else at_times_s))
        for one in built("g" * 40)
    )


EQUAL, LONGER = (Sheet(batches={shape: 8}) for shape in ("32×8 float32", "128×8 float32"))
ELSEWHERE = tuple(
    msgspec.structs.replace(one, line=32, begun_s=one.built_s, done_s=one.built_s + 0.07) for one in built("g" * 40)
)
STARTED_LATER = tuple(
    msgspec.structs.replace(one, begun_s=one.built_s + (0 if one.n > 1 else 3)) for one in built("g" * 40)
)
STRAGGLES, FINE = [("MP707", WARNING, 31, (1,))], list[Any]()
PACES = [
    ("one computes, the other waits", (paced(0, 0.2), paced(1, 0.95)), STRAGGLES),
    ("on a machine that is short of processors, too", (paced(0, 0.05, 0.3), paced(1, 0.2, 0.95)), STRAGGLES),
    ("and alone in it for a while, where it seldom gets one",
     (paced(0, 0.05, 0.3), paced(1, 0.2, 0.95, collectives=late(0, -0.12, 4))), STRAGGLES),
    ("the other was started seconds later", (paced(0, 0.2, collectives=STARTED_LATER), paced(1, 0.95)), STRAGGLES),
    ("one of three", (paced(0, 0.2, size=3), paced(1, 0.95, size=3), paced(2, 0.2, size=3)), STRAGGLES),
    ("both compute", (paced(0, 0.9), paced(1, 0.95)), FINE),
    ("both want a processor, and one gets it", (paced(0, 0.2, 0.9), paced(1, 0.7, 0.9)), FINE),
    ("one has a little more to do", (paced(0, 0.1), paced(1, 0.3)), FINE),
    ("they sleep", (paced(0, 0.05), paced(1, 0.08)), FINE),
    ("one sleeps before each collective", (paced(0, 0.05), paced(1, 0.05, late_s=0.06)), STRAGGLES),
    ("one gets no processor before each", (paced(0, 0.05), paced(1, 0.05, 0.65, late_s=0.06)), FINE),
    ("both get no processor, and one is always the last",
     (paced(0, 0.05, 0.45), paced(1, 0.05, 0.45, late_s=0.06)), STRAGGLES),
    ("both get no processor, and one is mostly the last",
     (paced(0, 0.05, 0.45), paced(1, 0.05, 0.45, collectives=late(0.06, -0.06, 6))), FINE),
    ("one comes a little later", (paced(0, 0.05), paced(1, 0.05, late_s=0.02)), FINE),
    ("one comes later, and loses less than half of the step where processors are scarce",
     (paced(0, 0.05, 0.25), paced(1, 0.05, 0.25, late_s=0.04)), FINE),
    ("so does one whose steps have more gradient calls",
     (paced(0, 0.05, 0.25), paced(1, 0.05, 0.25, late_s=0.04, calls=4)), STRAGGLES),
    ("one spins on the threads that compute, for the other comes late",
     (paced(0, 0.05), paced(1, 0.95), paced(2, 0.05, late_s=0.06)), FINE),
    ("one spins for the other, whose evaluation of the same is soon done",
     (paced(0, 0.95, sheet=EQUAL), paced(1, 0.05, late_s=0.06, sheet=EQUAL)), STRAGGLES),
    ("it may compute for as long: nothing is known of its batches",
     (paced(0, 0.95), paced(1, 0.05, late_s=0.06)), FINE),
    ("it may: its batches are longer",
     (paced(0, 0.95, sheet=LONGER), paced(1, 0.05, late_s=0.06, sheet=EQUAL)), FINE),
    ("it may: its steps have more of them",
     (paced(0, 0.95, calls=4, sheet=EQUAL), paced(1, 0.05, late_s=0.06, sheet=EQUAL)), FINE),
    ("it may: what it does has lines of its own",
     (paced(0, 0.95, collectives=ELSEWHERE, sheet=EQUAL), paced(1, 0.05, late_s=0.06, sheet=EQUAL)), FINE),
    ("it may: for the last one, too, the evaluation is not soon done",
     (paced(0, 0.95, sheet=EQUAL), paced(1, 0.05, late_s=0.05, sheet=EQUAL)), FINE),
    ("it may: the last one waited for a processor",
     (paced(0, 0.95, sheet=EQUAL), paced(1, 0.05, 0.65, late_s=0.06, sheet=EQUAL)), FINE),
    ("it asks for it later, and both compute", (paced(0, 0.9), paced(1, 0.9, late_s=0.05)), FINE),
    ("now one is late, now the other", (paced(0, 0.05), paced(1, 0.05, collectives=late(0.15, -0.1, 2))), FINE),
    ("one is late, but where the other was held up", (paced(0, 0.05), paced(1, 0.05, collectives=late(0.06, -3, 6))),
     STRAGGLES),
    ("one is late three times in four", (paced(0, 0.05), paced(1, 0.05, collectives=late(0.06, -0.06, 4))), FINE),
    ("one was held up a few times, and is hardly late", (paced(0, 0.05), paced(1, 0.05, collectives=late(0.001, 2, 9))),
     FINE),
    ("one serves the others, and computes no gradients", (paced(0, 0.2, calls=0), paced(1, 0.95)), FINE),
    ("one waits after its loop, not in it",
     tuple(paced(k, (0.2, 0.95)[k], collectives=AFTER_THE_LOOP) for k in (0, 1)), FINE),
    ("what they meet in is not the same",
     (paced(0, 0.2), paced(1, 0.95, collectives=built("g" * 39 + "G"))), [("MP702", WARNING, 31, (0, 1))]),
    ("nobody knows", (paced(0, 0.2), msgspec.structs.replace(paced(1, 0.95), samples=())), FINE),
]  # fmt: skip


@pytest.mark.parametrize(("ranks", "right"), [case[1:] for case in PACES], ids=[case[0] for case in PACES])
def test_one_rank_is_slow_by_its_own_work(ranks: Sequence[Observation], right: list[Any]) -> None:
    assert told(*ranks) == right


def test_a_straggler_is_told_with_what_it_does_more() -> None:
    (one,) = diagnose_ranks((paced(0, 0.2), paced(1, 0.95, calls=4)))
    assert one.message == (
        "rank 1 computes 95.0 ms for a step of 100.0 ms on average, the others 20.0 ms: they wait for it at "
        "train.py:31; a step of it has 4 gradient calls, theirs 1"
    )


@pytest.mark.parametrize(("at_work", "line"), [(30, 17), (8, 31)], ids=["much of it", "too little of it"])
def test_a_straggler_is_told_at_the_line_of_its_own_work(at_work: int, line: int) -> None:
    own = OwnWork(looks=40, at_work=at_work, way=("data.py:17", "train.py:25"))
    work = Sighting(fact=own, file="data.py", line=17)
    (one,) = diagnose_ranks((paced(0, 0.2), paced(1, 0.95, sightings=(work,))))
    assert one.line == line
    told = "; its own work is mostly at data.py:17, called at train.py:25"
    assert one.message.endswith(told) == (line == work.line)


@pytest.mark.parametrize(("size", "severity"), [(0, WARNING), (1, WARNING), (3, Severity.NOTE)])
def test_batches_of_one_class_each_may_hold_all_together_with_those_of_other_ranks(
    size: int, severity: Severity
) -> None:
    level = ConstantLevel(
        stream=0, level=1.0, error=0.1, gain=0.0, gain_error=0.0, kind="", whole=False, read=18, batches=18, alone=18,
        returns=True, different=3, unseen=0.0,
    )  # fmt: skip
    one = healthy(0, "gggg", process=process(0, size), sightings=(Sighting(fact=level, line=23),))
    assert [(found.code, found.severity) for found in diagnose(one) if found.code == "MP316"] == [("MP316", severity)]


def test_a_rank_that_computes_in_a_hang_is_no_proof() -> None:
    samples = tuple(Sample(t_s=0.5 * k, rss_bytes=1, cpu_s=0.5 * k) for k in range(20))
    ((code, severity, _, ranks),) = told(waiting(0, "ggg"), waiting(1, "gg", samples=samples))
    assert (code, severity, ranks) == ("MP701", WARNING, (1,))


def test_a_deadlock_follows_from_the_rank_that_is_behind() -> None:
    ranks = (waiting(0, "gggv"), waiting(1, "gggg"))
    found = diagnose(ranks[1], diagnose_ranks(ranks))
    assert [(one.code, one.follows) for one in found] == [("MP603", "MP701"), ("MP701", "")]


def test_what_ranks_show_together_is_in_every_row_and_said_once() -> None:
    rows = judged_all((waiting(0, "gggv"), waiting(1, "gggg")))
    assert [[one.ranks for one in row.findings if one.code == "MP701"] for row in rows] == [[(0,)], [(0,)]]
    assert [sum(one.code == "MP701" for one in row.findings) for row in said_once(rows)] == [1, 0]


def test_one_rank_alone_shows_nothing() -> None:
    assert diagnose_ranks((waiting(0, "gggv"),)) == ()
    assert diagnose_ranks((seen(), seen())) == ()
    loader = healthy(1, "")
    assert told(healthy(0, "gg"), healthy(1, "gg"), loader) == []


def test_every_code_of_ranks_has_its_page() -> None:
    codes = {code for code, one in RULES.items() if one.of_ranks}
    assert codes == {f"MP70{k}" for k in range(1, 9)}


words = st.text(alphabet="gmvGw", min_size=0, max_size=12)


@given(words, st.integers(2, 5), st.booleans(), st.integers(0, 8))
def test_equal_sequences_never_give_a_finding(sequence: str, size: int, together: bool, gone: int) -> None:
    rows = built(sequence, together=together)
    ranks = [healthy(k, sequence, size, collectives=rows[min(gone, len(rows)) if k else 0 :]) for k in range(size)]
    assert diagnose_ranks(ranks) == ()
    hung = [waiting(k, sequence, size=size, collectives=rows) for k in range(size)]
    assert [one for one in diagnose_ranks(hung) if one.code != "MP703"] == []


@given(st.lists(words, min_size=2, max_size=4), st.data())
def test_permuting_ranks_permutes_only_their_names(sequences: list[str], data: st.DataObject) -> None:
    order = data.draw(st.permutations(range(len(sequences))))
    size = len(sequences)

    def found(at: Sequence[int]) -> list[tuple[str, Severity, int]]:
        return sorted((one.code, one.severity, len(one.ranks)) for one in diagnose_ranks(
            [waiting(rank, sequences[k], size=size) for rank, k in enumerate(at)]
        ))  # fmt: skip

    assert found(range(size)) == found(order)


@given(st.lists(words, min_size=1, max_size=4), st.booleans())
def test_nothing_that_ranks_build_is_too_odd_to_be_judged(sequences: list[str], ends: bool) -> None:
    make = cut_off if ends else waiting
    found: tuple[Finding, ...] = diagnose_ranks([make(k, one, size=9) for k, one in enumerate(sequences)])
    assert all(one.ranks and one.together and one.message for one in found)


def test_ranks_with_the_same_lot_are_named_together() -> None:
    (one,) = diagnose_ranks([waiting(rank, "gggg" if rank else "gggv", 36 if rank else 35, 8) for rank in range(8)])
    assert one.message.count("waits at") == 2
    assert "ranks 1, 2, 3, 4, 5, 6 and 7: waits at train.py:36" in one.message


def test_where_all_wait_at_one_line_one_that_lies_may_be_why() -> None:
    """Seen with NCCL: a metric that rank 0 alone read took the place of the others' next gradients."""
    assert told(waiting(0, "gmgmg"), waiting(1, "gmgmg")) == [("MP703", Severity.WARNING, 35, (0, 1))]
    assert told(waiting(0, "ggggg"), waiting(1, "ggggg")) == []


def test_a_step_that_is_under_way_counts_as_a_batch() -> None:
    """Seen with NCCL: the rank that waits in its last step has not told of that step's gradients."""
    (found,) = told(waiting(0, "gggg", steps=healthy(0, "ggg").steps), healthy(1, "ggg"))
    assert found[0] == "MP708"


def test_a_ring_spins_while_it_waits_and_that_is_no_work() -> None:
    """Seen on a quiet machine: both ranks of a lazy metric used half a processor and more."""
    spins = tuple(Sample(t_s=0.5 * k, rss_bytes=1, cpu_s=0.45 * k) for k in range(20))
    (found,) = told(waiting(0, "gm", samples=spins), waiting(1, "gmg", samples=spins))
    assert found[0] == "MP703"
    works = tuple(Sample(t_s=0.5 * k, rss_bytes=1, cpu_s=1.5 * k) for k in range(20))
    (found,) = told(waiting(0, "gm", samples=works), waiting(1, "gmg", samples=spins))
    assert found[:2] == ("MP701", Severity.WARNING)


def test_a_rank_that_the_launcher_ended_is_not_behind() -> None:
    """Seen on a ring of eight: three ranks were ended on their way, after the others had failed for a fourth."""
    ended = healthy(0, "gg", size=4, ended="exited", exit_code=-15, finished=False)
    others = [cut_off(rank, "gggg", size=4) for rank in (1, 2)]
    ((code, _, _, ranks),) = told(ended, *others, healthy(3, "ggg", size=4, sheet=Sheet(gradients=4)))
    assert (code, ranks) == ("MP701", (3,))


def at(fact: Fact, line: int, step: int = 0) -> Sighting[Fact]:
    return Sighting(fact=fact, step=step, file="/home/train.py", line=line)


ROUNDS = [
    (Rounds(left=("train.py:55",), skipped=(), made=()), "its loop can be left at train.py:55"),
    (Rounds(left=(), skipped=("train.py:33",), made=()), "a round of its loop can be left out at train.py:33"),
    (Rounds(left=(), skipped=(), made=("train.py:16",)), "the rounds of its loop are made at train.py:16"),
]


@pytest.mark.parametrize(("ways", "words"), ROUNDS, ids=[words for _, words in ROUNDS])
def test_fewer_batches_are_told_with_the_lines_that_may_make_them_fewer(ways: Rounds, words: str) -> None:
    (one,) = diagnose_ranks((cut_off(0, "gggg"), healthy(1, "ggg", sightings=(at(ways, 30),))))
    assert one.code == "MP708"
    assert f"; {words}; " in one.message


def test_fewer_batches_because_a_rank_left() -> None:
    for step, told_ in ((3, True), (1, False)):  # it went on after the first
        left = healthy(1, "ggg", sightings=(at(AskedToLeave(), 18, step),))
        (one,) = diagnose_ranks((cut_off(0, "gggg"), left))
        assert ("; it called `sys.exit` at train.py:18; " in one.message) is told_


def test_models_that_do_not_start_alike_are_told_where_they_are_made() -> None:
    made = [at(ModelMade(seed=str(42 + rank), seeded="train.py:12"), 16) for rank in (0, 1)]
    ranks = [with_prints(k, "gggg", (1, "ab"[k], 1.0 + k)) for k in (0, 1)]
    told_ = [msgspec.structs.replace(one, sightings=(*one.sightings, made[k])) for k, one in enumerate(ranks)]
    (one,) = diagnose_ranks(told_)
    assert (one.code, one.line) == ("MP705", 16)
    assert one.message.endswith("their models are made after `mx.random.seed` of 42 and 43 at train.py:12")
    (one,) = diagnose_ranks((told_[0], ranks[1]))
    assert one.line == 30


def test_what_is_reduced_in_a_group_of_one_is_no_mean_of_several() -> None:
    four, start = steps(1, 1, 1, 1), (1, "a", 1.0)
    for groups, codes in ((("world/0.0", "world/0.1"), ["MP706"]), (("world/0.0",) * 2, ["MP705"])):
        ranks = []
        for k, group in enumerate(groups):
            rows = tuple(msgspec.structs.replace(one, group=group) for one in built("gggg"))
            ranks.append(with_prints(k, "", start, (2, "bc"[k], 1.0 + k), steps=four, collectives=rows))
        assert [row[0] for row in told(*ranks)] == codes
