"""What follows from another finding is told beneath it; no code is told twice for one cause."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlxprobe.diagnosis import RULES
from mlxprobe.diagnosis.finding_causality import FOLLOWS, explained
from mlxprobe.reports.cause_groups import families, ordered
from mlxprobe.schema.enums import Severity
from mlxprobe.schema.record import Finding


def finding(
    code: str, severity: Severity = Severity.ERROR, file: str = "a.py", line: int = 1, message: str = "m", **of: float
) -> Finding:
    return Finding(code=code, name="x", severity=severity, message=message, file=file, line=line, evidence=of)


def follows(*found: Finding) -> dict[str, str]:
    return {one.code: one.follows for one in explained(found)}


WARNING, NOTE = Severity.WARNING, Severity.NOTE
EXPLAINED = [
    ("a stall by what was put off", (finding("MP101"), finding("MP102")), {"MP101": "", "MP102": "MP101"}),
    ("a chain", (finding("MP101"), finding("MP102"), finding("MP104", WARNING)),
     {"MP101": "MP104", "MP102": "MP101", "MP104": ""}),
    ("a loss that does not fall by gradients most of which are zero",
     (finding("MP201", WARNING, zero=3, gradients=6), finding("MP306", WARNING)),
     {"MP201": "", "MP306": "MP201"}),
    ("a loss that rose not by gradients that are zero",
     (finding("MP201", WARNING, zero=3, gradients=6), finding("MP306", WARNING, top=9.0)),
     {"MP201": "", "MP306": ""}),
    ("not by one that is zero among many", (finding("MP201", WARNING, zero=1, gradients=6), finding("MP306", WARNING)),
     {"MP201": "", "MP306": ""}),
    ("no warning by a note", (finding("MP303", NOTE), finding("MP306", WARNING)), {"MP303": "", "MP306": ""}),
    ("a note by a note", (finding("MP210", NOTE), finding("MP306", NOTE)), {"MP210": "", "MP306": "MP210"}),
    ("NaN by a rate of NaN", (finding("MP207"), finding("MP210", update=20)), {"MP207": "MP210", "MP210": ""}),
    ("NaN not by a rate of 0", (finding("MP207"), finding("MP210", updates=20)), {"MP207": "", "MP210": ""}),
    ("NaN by an explosion before it", (finding("MP207", step=9), finding("MP208", WARNING, step=6)),
     {"MP207": "MP208", "MP208": ""}),
    ("not by one after it", (finding("MP207", step=3), finding("MP208", WARNING, step=6)), {"MP207": "", "MP208": ""}),
    ("numbers too large by a sum of gradients", (finding("MP203", WARNING), finding("MP207", overflow=1, arose=9)),
     {"MP203": "", "MP207": "MP203"}),
    ("not a root of zero", (finding("MP203", WARNING), finding("MP207", arose=9)), {"MP203": "", "MP207": ""}),
    ("NaN by what met another kind in a step before",
     (finding("MP207", step=9), finding("MP702", WARNING, step=1)), {"MP207": "MP702", "MP702": ""}),
    ("not by what met it later", (finding("MP207", step=1), finding("MP702", WARNING, step=1)),
     {"MP207": "", "MP702": ""}),
    ("an explosion by what was read beyond a table", (finding("MP208", WARNING), finding("MP304")),
     {"MP208": "MP304", "MP304": ""}),
    ("not by a mark that counts from the end", (finding("MP208", WARNING), finding("MP304", WARNING)),
     {"MP208": "", "MP304": ""}),
    ("the most direct cause", (finding("MP209"), finding("MP210"), finding("MP306", WARNING)),
     {"MP209": "", "MP210": "", "MP306": "MP209"}),
    ("a warm-up never left by a schedule that begins anew",
     (finding("MP210", WARNING, warmup=9), finding("MP402", WARNING, span=9)), {"MP210": "MP402", "MP402": ""}),
    ("not by an optimizer without one", (finding("MP210", WARNING, warmup=9), finding("MP402", WARNING)),
     {"MP210": "", "MP402": ""}),
    ("padding that carries loss by a mask that does not reach it",
     (finding("MP301"), finding("MP308", NOTE, padding=1)), {"MP301": "", "MP308": "MP301"}),
    ("not a mean of all", (finding("MP301"), finding("MP308", NOTE, share=1)), {"MP301": "", "MP308": ""}),
    ("long compiling by one trace after another", (finding("MP502", WARNING, traces=14), finding("MP505", traces=9)),
     {"MP502": "", "MP505": "MP502"}),
    ("not by those of another function", (finding("MP502", WARNING, traces=14), finding("MP505", WARNING, traces=1)),
     {"MP502": "", "MP505": ""}),
    ("memory by the constants of each trace", (finding("MP103", WARNING), finding("MP502", WARNING)),
     {"MP103": "MP502", "MP502": ""}),
    ("not by these where a list grows", (finding("MP103", WARNING, arrays=40), finding("MP502", WARNING)),
     {"MP103": "", "MP502": ""}),
    ("an explosion by an adapter in layers of another scale", (finding("MP208", WARNING), finding("MP403")),
     {"MP208": "MP403", "MP403": ""}),
    ("new shapes by a buffer that is kept", (finding("MP109", WARNING, last_rows=90), finding("MP502", WARNING)),
     {"MP109": "", "MP502": "MP109"}),
    ("not by rows that get longer", (finding("MP109", NOTE), finding("MP502", WARNING)), {"MP109": "", "MP502": ""}),
    ("outputs that are alike by gradients of which the signs are left",
     (finding("MP212", WARNING, share=0.7), finding("MP341", WARNING, deviation=0.005)),
     {"MP212": "", "MP341": "MP212"}),
    ("not by a clip whose result is dropped",
     (finding("MP212", WARNING, times=9), finding("MP341", WARNING, deviation=0.005)), {"MP212": "", "MP341": ""}),
    ("nor an input that is not used", (finding("MP212", WARNING, share=0.7), finding("MP312", WARNING, looks=4)),
     {"MP212": "", "MP312": ""}),
    ("a loss that does not fall by gradients of which most are dropped",
     (finding("MP204", WARNING, dropped=0.75), finding("MP306", WARNING)), {"MP204": "", "MP306": "MP204"}),
    ("not by a few", (finding("MP204", WARNING, dropped=0.2), finding("MP306", WARNING)), {"MP204": "", "MP306": ""}),
    ("nor by what is left over at the end", (finding("MP204", WARNING, gradients=3), finding("MP306", WARNING)),
     {"MP204": "", "MP306": ""}),
    ("nothing by itself", (finding("MP306"),), {"MP306": ""}),
]  # fmt: skip


@pytest.mark.parametrize(("found", "right"), [row[1:] for row in EXPLAINED], ids=[row[0] for row in EXPLAINED])
def test_a_finding_is_explained(found: tuple[Finding, ...], right: dict[str, str]) -> None:
    assert follows(*found) == right


def test_no_code_explains_itself_over_others() -> None:
    reached = {code: {cause.code for cause in causes} for code, causes in FOLLOWS.items()}
    for _ in reached:
        reached = {code: of.union(*(reached.get(one, set()) for one in of)) for code, of in reached.items()}
    assert not [code for code, of in reached.items() if code in of]


def test_the_table_knows_only_codes_that_there_are() -> None:
    assert {*FOLLOWS, *(cause.code for causes in FOLLOWS.values() for cause in causes)} <= RULES.keys()


def test_findings_of_one_line_and_code_are_one() -> None:
    twice = finding("MP501", NOTE, message="the optimizer"), finding("MP501", message="the model")
    (one,) = explained((*twice, finding("MP501", line=2, message="another"))[:2])
    assert (one.severity, one.message) == (Severity.ERROR, "the model; the optimizer")


def test_other_lines_are_other_causes() -> None:
    assert len(explained((finding("MP105", WARNING), finding("MP105", WARNING, line=2)))) == 2


def test_what_follows_from_one_cause_is_told_once_with_its_places() -> None:
    late = finding("MP102", line=7, message="12 steps"), finding("MP102", WARNING, line=9, message="15 steps")
    told = explained((finding("MP101"), *late))
    assert [(one.code, one.message) for one in told] == [("MP101", "m"), ("MP102", "12 steps; the same at a.py:9")]


drawn = st.lists(
    st.builds(
        finding,
        st.sampled_from(sorted(RULES)),
        st.sampled_from(list(Severity)),
        st.sampled_from(["a.py", "b.py", ""]),
        st.integers(1, 3),
        step=st.integers(1, 3),
    ),
    max_size=12,
)


@given(drawn)
def test_whatever_is_found_is_told_once_and_nothing_graver_is_lost(found: list[Finding]) -> None:
    told = explained(found)
    assert {one.code for one in told} == {one.code for one in found}
    for code, severity in itertools.product({one.code for one in found}, Severity):
        if any((one.code, one.severity) == (code, severity) for one in told):
            assert any((one.code, one.severity) == (code, severity) for one in found)
    assert min((list(Severity).index(one.severity) for one in told), default=9) == min(
        (list(Severity).index(one.severity) for one in found), default=9
    )
    shown = [one for root, rest in families(told) for one in (root, *(further for _, further in rest))]
    assert sorted(map(id, shown)) == sorted(map(id, ordered(told)))


def test_what_is_left_of_a_cause_that_was_taken_out_stands_alone() -> None:
    _, effect = explained((finding("MP101"), finding("MP102")))
    assert families([effect]) == [(effect, [])]
