"""Which findings count: prefixes of codes against each other, and what a baseline had already."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from making import record, record_row

from mlxprobe.diagnosis import RULES
from mlxprobe.runner.finding_filter import Selection, identity, known_of, relative, selected
from mlxprobe.schema.enums import Outcome, Severity
from mlxprobe.schema.errors import UsageError
from mlxprobe.schema.record import Finding, Record, Unchecked
from mlxprobe.schema.record_io import decode, encode, slim

CODES = sorted(RULES)
PREFIXES = sorted({code[:length] for code in CODES for length in range(2, 6)})


def finding(code: str = "MP101", file: str = "", line: int = 0) -> Finding:
    return Finding(code=code, name="n", severity=Severity.ERROR, message="m", file=file, line=line)


def baseline(*findings: Finding) -> Record:
    return decode(encode(record(record_row(scenario="programs", findings=findings))), "baseline.json")


SELECTS = [
    ("all without a chosen", (), (), "MP101", True),
    ("a chosen code", ("MP101",), (), "MP101", True),
    ("a code not chosen", ("MP101",), (), "MP102", False),
    ("a chosen family", ("MP1",), (), "MP105", True),
    ("another family", ("MP1",), (), "MP201", False),
    ("an ignored code", (), ("MP101",), "MP101", False),
    ("its neighbour", (), ("MP101",), "MP102", True),
    ("ignored in a chosen family", ("MP1",), ("MP101",), "MP101", False),
    ("chosen in an ignored family", ("MP101",), ("MP1",), "MP101", True),
    ("the rest of an ignored family", ("MP101",), ("MP1",), "MP102", False),
    ("chosen and ignored alike", ("MP101",), ("MP101",), "MP101", False),
    ("the longest of several counts", ("MP", "MP101"), ("MP1",), "MP101", True),
]


@pytest.mark.parametrize(
    ("select", "ignore", "code", "wanted"), [case[1:] for case in SELECTS], ids=[case[0] for case in SELECTS]
)
def test_the_longest_prefix_decides(select: tuple[str, ...], ignore: tuple[str, ...], code: str, wanted: bool) -> None:
    chosen = Selection(select=select, ignore=ignore)
    assert chosen.selects(code) is wanted
    kept, accepted = chosen.apply([finding(code)])
    assert (len(kept), accepted) == (int(wanted), 0)


@pytest.mark.parametrize(
    ("word", "chosen", "others"),
    [
        ("mp316", {"MP316"}, {"MP315", "MP101"}),
        ("Sorted-Classes", {"MP316"}, {"MP315", "MP101"}),
        ("data", {"MP301", "MP316"}, {"MP205", "MP701"}),
        ("ranks", {"MP701"}, {"MP603", "MP316"}),
    ],
)
def test_findings_are_chosen_by_name_and_family_in_any_case(word: str, chosen: set[str], others: set[str]) -> None:
    only, without = Selection(select=(word,)), Selection(ignore=(word,))
    assert {code for code in chosen | others if only.selects(code)} == chosen
    assert {code for code in chosen | others if without.selects(code)} == others


@pytest.mark.parametrize("prefix", ["MP9", "MP1011", "sorted", "", " MP1", "MP1,MP2", "F401"])
@pytest.mark.parametrize("where", ["select", "ignore"])
def test_a_prefix_of_no_code_is_refused_with_the_known_ones(where: str, prefix: str) -> None:
    with pytest.raises(UsageError, match=r"known are MP101, .*, MP603") as refused:
        Selection(**{where: (prefix,)})  # type: ignore[arg-type]
    assert repr(prefix) in str(refused.value)


prefixes = st.lists(st.sampled_from(PREFIXES), max_size=4).map(tuple)
codes = st.sampled_from(CODES)


@given(prefixes, codes, st.data())
def test_ignore_wins_over_what_is_no_longer_than_it(select: tuple[str, ...], code: str, data: st.DataObject) -> None:
    ignored = code[: data.draw(st.integers(2, 5))]
    longer = any(code.startswith(one) and len(one) > len(ignored) for one in select)
    assert Selection(select=select, ignore=(ignored,)).selects(code) is longer


@given(prefixes, prefixes, st.lists(codes), st.sets(codes))
def test_applied_twice_it_takes_away_nothing_more(
    select: tuple[str, ...], ignore: tuple[str, ...], found: list[str], had: set[str]
) -> None:
    findings = [finding(code, line=number) for number, code in enumerate(found)]
    known = known_of(record(record_row(findings=tuple(one for one in findings if one.code in had))), Path("/nowhere"))
    chosen = Selection(select=select, ignore=ignore, known=known)
    kept, accepted = chosen.apply(findings)
    assert chosen.apply(kept) == (kept, 0)
    assert [one for one in findings if one in kept] == list(kept)
    assert len(kept) + accepted == sum(chosen.selects(one.code) for one in findings)


CODE = ["import mlx", "optimizer.update(model, grads)", "total = total + loss"]
KNOWN = [
    ("the same place", "train.py", 2, "MP101", True),
    ("another code at this place", "train.py", 2, "MP102", False),
    ("another line", "train.py", 3, "MP101", False),
    ("another file with the same text", "other.py", 2, "MP101", False),
    ("the same text further down", "train.py", 4, "MP101", True),
]


@pytest.mark.parametrize(("file", "line", "code", "had"), [case[1:] for case in KNOWN], ids=[case[0] for case in KNOWN])
def test_what_the_baseline_had_is_accepted(tmp_path: Path, file: str, line: int, code: str, had: bool) -> None:
    for name in ("train.py", "other.py"):
        (tmp_path / name).write_text("\n".join([*CODE, "    " + CODE[1]]) + "\n")
    known = known_of(baseline(finding("MP101", str(tmp_path / "train.py"), 2)), tmp_path)
    kept, accepted = Selection(known=known).apply([finding(code, str(tmp_path / file), line)], tmp_path)
    assert (len(kept), accepted) == (int(not had), int(had))


class Kept(Finding, frozen=True):
    """A finding whose record kept the text of its line."""

    source: str = ""


def test_a_moved_line_is_known_where_the_record_kept_its_text(tmp_path: Path) -> None:
    file = tmp_path / "train.py"
    file.write_text("\n".join(["", "", *CODE]) + "\n")
    old = Kept(code="MP101", name="n", severity=Severity.ERROR, message="m", file=str(file), line=2, source=CODE[1])
    known = known_of(record(record_row(findings=(old,))), tmp_path)
    assert Selection(known=known).apply([finding("MP101", str(file), 4)], tmp_path) == ((), 1)


def test_without_its_text_a_moved_line_is_new_rather_than_lost(tmp_path: Path) -> None:
    file = tmp_path / "train.py"
    file.write_text("\n".join(["", "", *CODE]) + "\n")
    known = known_of(baseline(finding("MP101", str(file), 2)), tmp_path)
    assert Selection(known=known).apply([finding("MP101", str(file), 4)], tmp_path)[1] == 0


def test_without_a_source_the_line_number_counts(tmp_path: Path) -> None:
    known = known_of(baseline(finding("MP101", "gone.py", 2), finding("MP206")), tmp_path)
    chosen = Selection(known=known)
    assert chosen.apply([finding("MP101", "gone.py", 2), finding("MP206")], tmp_path) == ((), 2)
    assert chosen.apply([finding("MP101", "gone.py", 3)], tmp_path)[1] == 0


@pytest.mark.parametrize("path", ["/home/runner/work/x/src/train.py", "src/train.py", "/src/train.py"])
def test_a_baseline_of_another_machine_is_found_again_below_the_root(tmp_path: Path, path: str) -> None:
    here = tmp_path / "src" / "train.py"
    here.parent.mkdir()
    here.write_text("\n".join(CODE) + "\n")
    known = known_of(baseline(finding("MP101", path, 2)), tmp_path)
    assert Selection(known=known).apply([finding("MP101", str(here), 2)], tmp_path) == ((), 1)


def test_a_slim_record_serves_as_well(tmp_path: Path) -> None:
    here = tmp_path / "train.py"
    here.write_text("\n".join(CODE) + "\n")
    known = known_of(slim(baseline(finding("MP101", "/elsewhere/train.py", 2))), tmp_path)
    assert Selection(known=known).apply([finding("MP101", str(here), 2)], tmp_path) == ((), 1)


def test_what_could_not_be_checked_is_neither_known_nor_accepted(tmp_path: Path) -> None:
    known = known_of(baseline(finding("MP201")), tmp_path)
    gap = Unchecked(code="MP201", name="n", why="no gradient")
    row = record_row(unchecked=(gap,), program="train.py", expects=None)
    assert selected(row, Selection(known=known), tmp_path) == row
    assert selected(row, Selection(ignore=("MP2",)), tmp_path).unchecked == ()


def test_the_verdict_is_of_the_findings_that_count(tmp_path: Path) -> None:
    row = record_row(Outcome.UNHEALTHY, findings=(finding("MP201"),), program="train.py", expects=None)
    known = known_of(baseline(finding("MP201")), tmp_path)
    for left, outcome, accepted in ((Selection(), Outcome.UNHEALTHY, 0), (Selection(known=known), Outcome.PASS, 1)):
        told = selected(row, left, tmp_path)
        assert (told.outcome, told.as_expected, told.accepted) == (outcome, outcome is Outcome.PASS, accepted)


@given(st.text(), st.integers(-3, 10**20))
def test_any_file_name_has_an_identity(file: str, line: int) -> None:
    assert identity(finding("MP101", file, line), Path("/nowhere"))[0] == "MP101"
    known_of(record(record_row(findings=(finding("MP101", file, line),))), Path("/nowhere"))


def test_paths_are_relative_below_the_root_alone(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "real")
    assert relative(str(tmp_path / "real" / "a.py"), tmp_path) == "real/a.py"
    assert relative(str(tmp_path / "real" / "a.py"), tmp_path / "link") == "a.py"
    assert relative("/elsewhere/a.py", tmp_path) == "/elsewhere/a.py"
    assert relative("./b/a.py", tmp_path) == "b/a.py"
