"""Whatever [tool.mlxprobe] holds is used or refused in one sentence, which names the file and the key."""

import math
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mlxprobe.runner.programs import declared
from mlxprobe.schema.errors import UsageError
from mlxprobe.settings import table as settings_table
from mlxprobe.settings.project import project_table
from mlxprobe.settings.table import TABLE, resolve
from mlxprobe.upgrade import allowances

ABSURD = ["true", "false", "-1", "0", "-0.0", "nan", "inf", "-inf", "1e99", "1e-99", '""', '"nan"', '"-5s"', '"1e99"',
          '"999999999999999999999T"', '"99999999999h"', '"0%"', '"1e-99%"', '"inf%"', '"a\\u0000b"', "[]", "[1]",
          "[[]]", "[true]", "{}", "{a = 1}", "2020-01-01", "07:32:00", "0x" + "f" * 9000]  # fmt: skip
NAMES = ('"nan"', '"-5s"', '"1e99"', '"999999999999999999999T"', '"99999999999h"', '"0%"', '"1e-99%"', '"inf%"')
FITS = {  # absurd for the others
    "scenarios": {*NAMES, "[]", '""'},
    "reports": {*NAMES},
    "requirements": {*NAMES, "[]", '""'} - {'"-5s"', '"0%"', '"1e-99%"', '"inf%"'},
}
REFUSED = [(one.key, value) for one in TABLE for value in ABSURD if value not in FITS.get(one.key, ())]


def refused(folder: Path, text: str) -> str:
    """Return the sentence with which a project's file is refused."""
    (folder / "pyproject.toml").write_text(text)
    with pytest.raises(UsageError) as caught:
        resolve({}, {}, folder)
        found = project_table(folder)
        declared(*found)
        allowances.declared(*found)
    said = str(caught.value)
    assert "\n" not in said
    assert len(said) < 600
    assert str(folder / "pyproject.toml") in said
    return said


@pytest.mark.parametrize(("key", "value"), REFUSED, ids=[f"{key} {value[:24]}" for key, value in REFUSED])
def test_an_absurd_value_is_refused_with_its_key(key: str, value: str, tmp_path: Path) -> None:
    assert f"[tool.mlxprobe] {key}: " in refused(tmp_path, f"[tool.mlxprobe]\n{key} = {value}\n")


PLACES = [
    ("tool is a number", "tool = 3", "[tool]: 3 is not a table"),
    ("mlxprobe is a number", "[tool]\nmlxprobe = 3", "[tool.mlxprobe]: 3 is not a table"),
    ("mlxprobe is a list", "[[tool.mlxprobe]]\njobs = 1", "[tool.mlxprobe]: [{'jobs': 1}] is not a table"),
    ("programs is a list", "[tool.mlxprobe]\nprograms = [1]", "[tool.mlxprobe], [programs]: [1] is not a table"),
    ("programs is a word", '[tool.mlxprobe]\nprograms = "a"', "[tool.mlxprobe], [programs]: 'a' is not a table"),
    ("allow is a list", "[tool.mlxprobe]\nallow = [1]", "[tool.mlxprobe] allow: [1] is not a table"),
    ("an allowance is a number", '[tool.mlxprobe.allow]\n"a" = 1', "[tool.mlxprobe.allow] 'a': has no reason"),
    ("lists within lists", "a = " + "[" * 10**5, "not a TOML file"),
    ("a key of too many parts", "[tool.mlxprobe]\n" + ".".join("a" * 20_000) + " = 1", "a key of more than 100 parts"),
    ("a quoted key of too many parts", '["a"' + " . 'b c'" * 20_000 + "]", "a key of more than 100 parts"),
    ("a file that is too large", "#" * 2_000_000, "is larger than 1 MB"),
    ("a number of too many digits", "a = " + "9" * 10**4, "not a TOML file"),
]


@pytest.mark.parametrize(("text", "words"), [case[1:] for case in PLACES], ids=[case[0] for case in PLACES])
def test_what_is_no_table_is_refused_with_its_place(text: str, words: str, tmp_path: Path) -> None:
    assert words in refused(tmp_path, text)


PROGRAMS = [
    ("a number for a program", "mine = 3", "programs.mine]: "),
    ("a command of another type", "mine.command = 3", "at `$.command`"),
    ("no words", 'mine.command = ""', "command: '' is not a command"),
    ("no words in a list", "mine.command = []", "command: [] is not a command"),
    ("a quotation without an end", 'mine.command = "python \'a"', 'command: "python \'a": no closing quotation'),
    ("a null byte", 'mine.command = ["python", "a\\u0000"]', "command: ['python', 'a\\x00'] is not a command"),
    ("a name that is empty", '"".command = "python a.py"', "'' is not a name"),
    ("a name of two lines", '"a\\nb".command = "python a.py"', "'a\\nb' is not a name"),
    ("a time that is a truth", 'mine = {command = "a", timeout-s = true}', "at `$.timeout-s`"),
    ("a time below zero", 'mine = {command = "a", timeout-s = -1}', "timeout-s: -1"),
    ("no time", 'mine = {command = "a", timeout-s = 0}', "timeout-s: 0"),
    ("a time that is no number", 'mine = {command = "a", timeout-s = nan}', "timeout-s: nan"),
    ("a time without an end", 'mine = {command = "a", stall-limit-s = inf}', "stall-limit-s: inf"),
    ("a time of ages", 'mine = {command = "a", stall-limit-s = 1e99}', "stall-limit-s: 1e+99"),
    ("no aspects", 'mine = {command = "a", compare = []}', "compare: is empty"),
    ("aspects of another type", 'mine = {command = "a", compare = "loss"}', "at `$.compare`"),
    ("a folder with a null byte", 'mine = {command = "a", folder = "a\\u0000"}', "folder: "),
    ("a variable without a name", 'mine = {command = "a", environment = {"" = "a"}}', "environment: '' = 'a'"),
    ("a variable with a sign in it", 'mine = {command = "a", environment = {"a=b" = "a"}}', "environment: 'a=b' = 'a'"),
    ("a value with a null byte", 'mine = {command = "a", environment = {a = "\\u0000"}}', "environment: 'a' = '\\x00'"),
    ("a value that is a number", 'mine = {command = "a", environment = {a = 1}}', "at `$.environment[...]`"),
]


@pytest.mark.parametrize(("row", "words"), [case[1:] for case in PROGRAMS], ids=[case[0] for case in PROGRAMS])
def test_a_program_that_cannot_be_run_is_refused_with_its_key(row: str, words: str, tmp_path: Path) -> None:
    said = refused(tmp_path, f"[tool.mlxprobe.programs]\n{row}\n")
    assert words in said
    assert "[tool.mlxprobe.programs." in said


def test_a_file_that_may_not_be_read_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "pyproject.toml").write_text("")

    def denied(*_: object, **__: object) -> str:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "read_text", denied)
    with pytest.raises(UsageError, match=r"pyproject\.toml: cannot be read: Permission denied"):
        resolve({}, {}, tmp_path)


@pytest.mark.parametrize("path", ["~no-such-user/a", "./ring", "./gone", "/gone/a.whl"])
def test_a_requirement_that_leads_nowhere_is_refused(path: str, tmp_path: Path) -> None:
    (tmp_path / "ring").symlink_to("ring")
    said = refused(tmp_path, f'[tool.mlxprobe]\nrequirements = ["{path}"]\n')
    assert "[tool.mlxprobe] requirements: " in said
    assert "does not exist" in said


words = st.text(max_size=6) | st.sampled_from(["4GB", "40%", "10min", "cpu", "dask://a:1", "python a.py", "-1", "1e99"])
leaves = st.booleans() | st.integers() | st.floats() | words | st.dates()
anything = st.recursive(
    leaves, lambda of: st.lists(of, max_size=3) | st.dictionaries(words, of, max_size=3), max_leaves=6
)
keys = st.sampled_from([*(one.key for one in TABLE), "programs", "allow"])
program = st.dictionaries(
    st.sampled_from(["command", "folder", "environment", "compare", "timeout-s", "stall-limit-s"]), anything
)
tables = st.dictionaries(keys, anything) | st.fixed_dictionaries(
    {"programs": st.dictionaries(words, program | anything)}
)


@given(tables)
def test_any_table_is_used_or_refused_in_one_sentence(rows: dict[str, Any]) -> None:
    file = Path("/project/pyproject.toml")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(settings_table, "project_table", lambda _: (file, rows))
        try:
            found = resolve({}, {})
            programs = declared(file, rows)
            allowances.declared(file, rows)
        except UsageError as error:
            said = str(error)
            assert "\n" not in said
            assert said.startswith(f"{file}, [tool.mlxprobe")
            assert any(key in said for key in rows)
            return
    limits = [found.timeout_s, found.stall_s, *(one.timeout_s for one in programs), *(one.stall_s for one in programs)]
    assert all(limit is None or (math.isfinite(limit) and 0 < limit <= 36e6) for limit in limits)
    assert 1 <= found.jobs <= 64
    assert found.memory is None or 0 < found.memory <= 2**50


def linked(target: str) -> Callable[[Path], None]:
    return lambda file: file.symlink_to(target)


NO_FILES: list[tuple[str, Callable[[Path], None], str]] = [
    ("a pipe", os.mkfifo, "is no file"),
    ("a folder", Path.mkdir, "is no file"),
    ("a device without an end", linked("/dev/zero"), "is no file"),
    ("a link to itself", linked("pyproject.toml"), "cannot be read: Too many levels of symbolic links"),
    ("a link to nothing", linked("gone"), "cannot be read: No such file or directory"),
]


@pytest.mark.parametrize(("make", "words"), [one[1:] for one in NO_FILES], ids=[one[0] for one in NO_FILES])
def test_what_is_no_file_is_refused_and_not_waited_for(
    make: Callable[[Path], None], words: str, tmp_path: Path
) -> None:
    file = tmp_path / "pyproject.toml"
    make(file)
    with pytest.raises(UsageError) as caught:
        project_table(tmp_path)
    assert str(caught.value) == f"{file}: {words}"
