"""What a project accepts: `--allow`, and [tool.mlxprobe.allow]."""

from pathlib import Path

import pytest

from mlxprobe.schema.errors import UsageError
from mlxprobe.upgrade.allowances import Allowance, allow, declared, idle, ordered
from mlxprobe.upgrade.diff import Change, Comparison, Difference

WORSE = Difference(what="outcome", change=Change.REGRESSION, text="pass → error: no stream")
SLOWER = Difference(what="time", change=Change.REGRESSION, text="step time × 1.30")
BROKEN = Comparison(program="prefetch-thread/lazy_batches", differences=(WORSE,))
BOTH = Comparison(program="a/b", differences=(WORSE, SLOWER))

ALLOWED = [
    ("the program", BROKEN, ["prefetch-thread/lazy_batches=known"], "known"),
    ("a glob", BROKEN, ["prefetch-*=known"], "known"),
    ("the aspect", BROKEN, ["prefetch-thread/lazy_batches:outcome=known"], "known"),
    ("another aspect does not help", BROKEN, ["prefetch-thread/lazy_batches:time=known"], ""),
    ("another program does not help", BROKEN, ["step2-hang/*=known"], ""),
    ("one aspect leaves another regression", BOTH, ["a/b:time=known"], ""),
    ("both aspects", BOTH, ["a/b:time=known", "a/b:outcome=known too"], "known too"),
    ("the program allows all aspects", BOTH, ["a/b=known"], "known"),
    ("a reason may hold an equals sign", BROKEN, ["prefetch-*=x = y"], "x = y"),
]


@pytest.mark.parametrize(("found", "given", "told"), [case[1:] for case in ALLOWED], ids=[case[0] for case in ALLOWED])
def test_allow(found: Comparison, given: list[str], told: str) -> None:
    (one,) = allow([found], ordered(given))
    assert one.allowed == told


def test_the_projects_own_are_read_from_its_file(tmp_path: Path) -> None:
    (one,) = declared(tmp_path / "pyproject.toml", {"allow": {"a/b:time": "known"}})
    assert (one.program, one.what, one.reason) == ("a/b", "time", "known")


BAD = [
    ("an aspect that does not exist", {"a:speed": "known"}, "'a:speed': 'speed' is not one of outcome"),
    ("no reason", {"a/b": " "}, "'a/b': has no reason; PROGRAM[:WHAT]=REASON is right"),
    ("a reason that is no text", {"a/b": True}, "'a/b': has no reason"),
    ("no table", 3, "3 is not a table"),
]


@pytest.mark.parametrize(("given", "words"), [case[1:] for case in BAD], ids=[case[0] for case in BAD])
def test_a_bad_line_of_the_project_is_told(given: object, words: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError) as caught:
        declared(tmp_path / "pyproject.toml", {"allow": given})
    assert words in str(caught.value)
    assert str(caught.value).startswith(f"{tmp_path}/pyproject.toml, [tool.mlxprobe")


@pytest.mark.parametrize(
    ("given", "words"),
    [("a:speed=x", "--allow a:speed=x: 'speed' is not one of outcome"), ("a/b", "--allow a/b: has no reason")],
)
def test_a_bad_flag_is_told(given: str, words: str) -> None:
    with pytest.raises(UsageError, match=words):
        ordered([given])


def rule(program: str, *, by_flag: bool = False) -> Allowance:
    return Allowance(program=program, what="", reason="known", origin="somewhere", by_flag=by_flag)


IDLE = [
    ("what ran is quiet", rule("a/b"), "there is", 0),
    ("a glob that fits is quiet", rule("a/*", by_flag=True), "ran", 0),
    ("a project's line that fits nothing that there is", rule("gone/b"), "there is", 1),
    ("a project's line that fits what was not chosen is quiet", rule("other/*"), "there is", 0),
    ("a flag that fits what was not chosen", rule("other/*", by_flag=True), "ran", 1),
]


@pytest.mark.parametrize(("one", "words", "count"), [case[1:] for case in IDLE], ids=[case[0] for case in IDLE])
def test_what_fits_no_program_is_told(one: Allowance, words: str, count: int) -> None:
    told = idle([BOTH], [one], ["a/b", "other/c"])
    assert told == [f"somewhere: matches no program that {words}, and allows nothing"] * count
