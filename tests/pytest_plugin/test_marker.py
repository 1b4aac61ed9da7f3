"""`@pytest.mark.mlxprobe` in a pytest of its own, and `mlxprobe.watch` from Python."""

import json
import re
import sys
import time
import typing
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest
from running import PRELUDE

import mlxprobe
from mlxprobe.pytest_plugin.marker import Wanted, wanted
from mlxprobe.schema.enums import Outcome
from mlxprobe.schema.errors import ProbeError, UsageError

slow = pytest.mark.slow
HELP = PRELUDE.replace("\ntrain()\n", "\n").replace("import mlx", "import pytest, time, mlx", 1)
PHASES = (
    HELP
    + """
probed = pytest.mark.mlxprobe
opened = []
@pytest.fixture(scope="module")
def resource():
    opened.append(1); yield len(opened); opened.pop()
@pytest.fixture
def broken(): raise ValueError("no such data")
@pytest.fixture
def leaves():
    yield
    raise ValueError("cannot leave")
def test_plain(resource): assert resource == 1
@probed
def test_trains(resource, tmp_path, cache): print("trained"); assert resource == 1 and train() < 1
@probed
def test_fails(): assert train() > 1, "too good"
@probed
def test_skips(): pytest.skip("no data")
@probed
@pytest.mark.xfail(reason="known")
def test_expected(): assert train() > 1
@probed
@pytest.mark.xfail(reason="known", strict=True)
def test_unexpected(): train()
@probed
def test_needs(broken): pass
@probed
def test_leaves(leaves): train()
class TestClass:
    @probed
    @pytest.mark.parametrize("rate", [0.1, "a//b", "c::d[e]"])
    def test_rate(self, rate, request): train(); assert request.node.callspec.id
"""
)


SECOND = "import pytest\n@pytest.mark.mlxprobe\ndef test_looks_away(): pass\ndef test_after(): pass\n"


@slow
def test_phases_and_outcomes_are_those_of_the_test(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(test_first=PHASES, test_second=SECOND)
    result = pytester.runpytest_subprocess(
        "-n", "2", "--dist=loadfile", "-rA", "--junitxml=out.xml", "-p", "no:randomly"
    )
    result.assert_outcomes(passed=7, failed=3, skipped=1, xfailed=1, errors=2)
    told = str(result.stdout)
    for line in (
        r"FAILED test_first\.py::test_fails - AssertionError: too good",
        r"FAILED test_second\.py::test_looks_away - nothing can be said of the test: /",
        r"did not import MLX",
        r"FAILED test_first\.py::test_unexpected",
        r"ERROR test_first\.py::test_needs - ValueError: no such data",
        r"ERROR test_first\.py::test_leaves - ValueError: cannot leave",
        r"SKIPPED \[1\] test_first\.py:\d+: no data",
        r"XFAIL test_first\.py::test_expected - known",
        r"trained",
    ):
        assert re.search(line, told), (line, told)
    cases = {
        case.get("name"): {one.tag for one in case} for case in ET.parse(pytester.path / "out.xml").iter("testcase")
    }
    assert (
        cases["test_needs"] == {"error"} and cases["test_fails"] >= {"failure"} and cases["test_skips"] == {"skipped"}
    )
    assert "test_rate[a//b]" in cases


@slow
def test_what_other_tests_set_up_is_left_in_order(pytester: pytest.Pytester) -> None:
    """A marked test ends its module here too, though it runs elsewhere."""
    fixture = "@pytest.fixture(scope='module')\ndef kept():\n    yield\n    raise ValueError('at the end')\n"
    first = f"import pytest\n{fixture}def test_a(kept): pass\n@pytest.mark.mlxprobe\ndef test_b(): import mlx.core\n"
    pytester.makepyfile(test_first=first, test_second="def test_c(): pass")
    result = pytester.runpytest_subprocess("-p", "no:randomly", "-rA")
    result.assert_outcomes(passed=3, errors=1)
    assert "ValueError: at the end" in str(result.stdout)


GROWS = "kept = []\nfor _ in range(40): kept.append(mx.ones(50_000) + 1); mx.eval(kept); train(1)"
NEEDS = [
    ("a finding", "", "optimizer.learning_rate = 0.0; train()", "MP210"),
    ("a finding that is allowed", "allow=['MP2', 'MP3']", "optimizer.learning_rate = 0.0; train()", ""),
    ("learning", "must_learn=True", "train()", ""),
    ("learning without losses", "must_learn=True", "train(5)", "must_learn could not be checked"),
    ("growth", "max_growth='0.1MB/step'", GROWS, "memory grows by 0."),
    ("growth that is allowed", "max_growth='1MB/step', allow=['MP1']", GROWS, ""),
    ("a hang", "stall_s=1", "train(); time.sleep(60)", "hang: deadlock: silent for"),
    ("a long test", "timeout_s={enough_s}", "while True: train(1); time.sleep(0.01)", "slow: still moving"),
    ("a crash", "", "import os; train(); os.kill(os.getpid(), 11)", "crash: ended by SIGSEGV"),
    ("a pytest within", "", "import os, subprocess, sys; train()\n"
     "open('test_inner.py', 'w').write('def test_inner(): assert 0')\n"
     "assert subprocess.run([sys.executable, '-m', 'pytest', '-q', 'test_inner.py']).returncode == 1", ""),
]  # fmt: skip


@slow
def test_a_marked_test_fails_for_what_mlxprobe_finds(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(test_it=HELP + "@pytest.mark.mlxprobe\ndef test_it(): train()\n")
    began_s = time.monotonic()
    pytester.runpytest_subprocess("-n", "1").assert_outcomes(passed=1)
    enough_s = 3 + 3 * (time.monotonic() - began_s)  # three run at a time
    tests = [
        f"@pytest.mark.mlxprobe({marks.format(enough_s=enough_s)})\ndef test_{k}():\n"
        + "".join(f"    {line}\n" for line in body.split("\n"))
        for k, (_, marks, body, _) in enumerate(NEEDS)
    ]
    pytester.makepyfile(test_it=HELP + "\n".join(tests))
    result = pytester.runpytest_subprocess("-n", "3", "--junitxml=out.xml")
    cases = {case.get("name"): case for case in ET.parse(pytester.path / "out.xml").iter("testcase")}
    for k, (name, _, _, said) in enumerate(NEEDS):
        text = "".join(one.text or "" for one in cases[f"test_{k}"].iter("failure"))
        assert (said in text) if said else not text, (name, text, str(result.stdout))


@slow
def test_it_runs_as_the_rest_does(pytester: pytest.Pytester) -> None:
    """From another folder, with the project's own plugins, options and fixtures."""
    project = pytester.mkdir("project")
    (project / "pyproject.toml").write_text(
        "[tool.pytest.ini_options]\naddopts = '-p ours --strict-markers -k it'\npythonpath = 'lib'\n"
    )
    (project / "lib").mkdir()
    (project / "lib" / "ours.py").write_text("import pytest\n@pytest.fixture\ndef mine(): return 4\n")
    (project / "tests").mkdir()
    (project / "tests" / "conftest.py").write_text(
        "import pytest\n@pytest.fixture\ndef doubled(mine): return 2 * mine\n"
    )
    (project / "tests" / "test_x.py").write_text(
        "import os, pytest\n@pytest.mark.mlxprobe\ndef test_it(doubled):\n    import mlx.core\n"
        f"    assert doubled == 8 and os.getcwd() == {str(pytester.path)!r}\n"
        "    assert not [k for k in os.environ if k.startswith('MLXPROBE')]\ndef test_other(): assert 0"
    )  # fmt: skip
    result = pytester.runpytest_subprocess(
        f"--rootdir={project}", "-c", str(project / "pyproject.toml"), str(project / "tests")
    )
    result.assert_outcomes(passed=1, deselected=1)


BAD = [
    ("an unknown name", {"stall": 1}, "'stall': right are allow, max_growth, must_learn, stall_s, timeout_s"),
    ("a time that is none", {"stall_s": "soon"}, "stall_s='soon': right is a number of seconds above 0"),
    ("a time below zero", {"timeout_s": -1}, "timeout_s=-1: right is"),
    ("growth without its step", {"max_growth": "1MB"}, "max_growth='1MB': right is a size per step"),
    ("growth without a size", {"max_growth": "x/step"}, "max_growth='x/step': right is a size per step"),
    ("one code that is no list", {"allow": "MP306"}, "allow='MP306': right is a list of codes"),
    ("a code that is none", {"allow": ["MP999"]}, "no finding has the code or name 'MP999'"),
    ("a yes that is none", {"must_learn": "no"}, "must_learn='no': right is True or False"),
]


@pytest.mark.parametrize(("given", "said"), [row[1:] for row in BAD], ids=[row[0] for row in BAD])
def test_a_bad_argument_is_told(given: dict[str, object], said: str) -> None:
    with pytest.raises(UsageError, match=re.escape(said)):
        wanted(pytest.mark.mlxprobe(**given).mark)
    with pytest.raises(UsageError, match="each by name"):
        wanted(pytest.mark.mlxprobe(*given, **given).mark)


def test_arguments_are_read() -> None:
    assert wanted(pytest.mark.mlxprobe.mark) == Wanted()
    read = wanted(pytest.mark.mlxprobe(stall_s=1, max_growth="1MB/step", must_learn=True, allow=["MP3"]).mark)
    assert (read.stall_s, read.growth_bytes, read.must_learn) == (1.0, 1e6, True)
    assert not read.allow.selects("MP306") and read.allow.selects("MP101")


@slow
def test_a_bad_argument_fails_the_test_alone(pytester: pytest.Pytester) -> None:
    pytester.makepyfile("import pytest\n@pytest.mark.mlxprobe(5)\ndef test_a(): pass\ndef test_b(): pass\n")
    result = pytester.runpytest_subprocess()
    result.assert_outcomes(passed=1, failed=1)
    result.stdout.fnmatch_lines(["mlxprobe: @pytest.mark.mlxprobe: 5: right are *"])


@slow
def test_a_program_is_watched_from_python(tmp_path: Path) -> None:
    (tmp_path / "train.py").write_text(
        PRELUDE
        + "import json, os, sys; json.dump([sys.argv[1:], os.getcwd(), os.environ['COLOUR']], open('seen.json', 'w'))"
    )
    told = mlxprobe.watch("train.py", "one", "two", cwd=tmp_path, env={"COLOUR": "blue"})
    assert (told.outcome, told.as_expected, told.findings, told.record.steps) == (Outcome.PASS, True, (), 25)
    assert {one.code for one in told.unchecked} >= {"MP303", "MP304"} and repr(told).startswith("<Diagnosis pass: no")
    assert json.loads((tmp_path / "seen.json").read_text()) == [["one", "two"], str(tmp_path), "blue"]
    (tmp_path / "train.py").write_text(PRELUDE.replace("0.1", "0.0") + "import time; time.sleep(60)")
    told = mlxprobe.watch([sys.executable, str(tmp_path / "train.py")], stall_s=1)
    assert told.outcome is Outcome.HANG and {one.code for one in told.grave} >= {"MP210", "MP603"}


@slow
def test_a_program_is_watched_until_enough_is_seen(tmp_path: Path) -> None:
    endless = tmp_path / "train.py"
    endless.write_text(PRELUDE.replace("0.1", "0.0") + "import time\nwhile True: train(1); time.sleep(0.01)")
    began_s = time.monotonic()
    assert mlxprobe.watch(endless, steps=30).outcome is Outcome.UNHEALTHY
    took_s = time.monotonic() - began_s
    assert mlxprobe.watch(endless, until_finding=True).grave
    assert mlxprobe.watch(endless, timeout_s=1 + 2 * took_s).outcome is Outcome.SLOW


ASKED = [
    ("no such script", "nowhere.py", {}, UsageError),
    ("no words", [], {}, UsageError),
    ("no such command", ["./nowhere"], {"cwd": "/no/such/folder"}, ProbeError),
    ("no time at all", [sys.executable, "-c", ""], {"stall_s": 0}, UsageError),
    ("less than no time", [sys.executable, "-c", ""], {"timeout_s": -1}, UsageError),
]


@pytest.mark.parametrize(("program", "given", "error"), [row[1:] for row in ASKED], ids=[row[0] for row in ASKED])
def test_what_cannot_be_watched_raises(
    program: typing.Any, given: dict[str, typing.Any], error: type[ProbeError]
) -> None:
    with pytest.raises(error):
        mlxprobe.watch(program, **given)


def test_the_api_is_typed() -> None:
    hints = typing.get_type_hints(mlxprobe.watch)
    assert hints["return"] is mlxprobe.Diagnosis
    assert set(hints) >= {"program", "arguments", "stall_s", "timeout_s", "steps", "until_finding", "cwd", "env"}
