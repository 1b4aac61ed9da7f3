"""The command line: names, exit codes, and one sentence for what cannot be used."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from watching import GUARD_S

from mlxprobe.catalogue import discovery
from mlxprobe.cli import main
from mlxprobe.runner.schedule import flat, scenario_tasks
from mlxprobe.schema.errors import MissingEnvironmentError


def call(*arguments: str) -> Result:
    return CliRunner().invoke(main, arguments)


def test_list_names_every_scenario_and_variant() -> None:
    result = call("list")
    assert result.exit_code == 0
    assert "step2-hang" in result.output
    assert "nothing_evaluated  (broken)" in result.output


def test_list_names_variants_in_the_order_of_reports() -> None:
    (chosen,) = discovery.select(discovery.find()[0], ["step2-hang"])
    lines = call("list").output.splitlines()
    first = next(place for place, line in enumerate(lines) if line.startswith("step2-hang "))
    listed = [line.split()[0] for line in lines[first + 1 : first + 1 + len(chosen[1])]]
    assert [f"step2-hang/{name}" for name in listed] == [task.name for task in flat(scenario_tasks([chosen]))]


@pytest.mark.parametrize("arguments", [["list"], ["explain"], ["explain", "MP101"], ["show", "step2-hang"], ["envs"]])
def test_no_line_ends_in_spaces(arguments: list[str]) -> None:
    lines = call(*arguments).output.splitlines()
    assert [line for line in lines if line != line.rstrip()] == []


def test_help_alone_is_no_wrong_usage() -> None:
    assert call("--help").exit_code == 0
    assert "Usage: mlxprobe" in call().output


def test_show_puts_broken_and_correct_code_side_by_side() -> None:
    result = call("show", "step2-hang/nothing_evaluated")
    assert result.exit_code == 0
    for word in ("Symptom", "Cause", "Fix", "nothing_evaluated", "parameters_and_state_evaluated", " ~ "):
        assert word in result.output
    assert max(map(len, result.output.splitlines())) <= 80


def test_explain_shows_the_page_of_a_code() -> None:
    assert "unevaluated-update" in call("explain", "mp101").output


@pytest.mark.parametrize(
    ("words", "first"),
    [
        ("dropout", "MP227"),
        ("loss is nan", "MP207"),
        ("batch normalisation momentum", "MP228"),
        ("softmax axis", "MP331"),
    ],
)
def test_explain_finds_pages_by_their_words(words: str, first: str) -> None:
    lines = call("explain", words).output.splitlines()
    assert lines[0].startswith(f"{first}  ") and 1 <= len(lines) <= 8


def test_explain_alone_lists_the_codes() -> None:
    assert "MP101  unevaluated-update  (error)" in call("explain").output


def test_a_broken_scenario_that_is_asked_for_is_told(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text("def broken(:")
    result = call("run", "--scenarios", str(tmp_path), "--scenario", "mine")
    assert result.exit_code == 2
    assert "mine.py:1: invalid syntax" in result.output


def test_an_output_that_cannot_be_written_is_told_before_the_run(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    result = call("run", "--output", str(tmp_path / "file" / "out.txt"), "--reports", str(tmp_path))
    assert result.exit_code == 2
    assert "out.txt: cannot be written" in result.output
    assert "ok " not in result.output


BISECT = ["bisect", "--good", "0.1", "--bad", "0.2", "--scenario", "step2-hang/nothing_evaluated"]
USAGE = [
    ("an unknown scenario", ["run", "--scenario", "step2-hnag"], "did you mean 'step2-hang'?"),
    ("an unknown scenario shown", ["show", "nothing-like-it"], "no scenario is called 'nothing-like-it'"),
    ("an unknown code", ["explain", "MP999"], "no finding has the code or name 'MP999'; known are MP101"),
    ("a flag out of range", ["run", "--jobs", "0"], "--jobs: '0' is not a whole number from 1 to 64"),
    ("a folder that is not there", ["list", "--scenarios", "nowhere"], "nowhere: no such folder of scenarios"),
    ("a format that is none", ["run", "--format", "xml"], "'xml' is not one of 'text', 'json', 'markdown', 'junit'"),
    ("an unknown option", ["gate", "--basline", "3"], "no such option '--basline'; did you mean '--baseline'?"),
    ("an unknown option before the command", ["--foo"], "no such option '--foo'; `mlxprobe --help` shows"),
    ("a missing option", ["gate"], "missing option '--baseline'; `mlxprobe gate --help` shows what is right"),
    ("a missing argument", ["matrix"], "missing argument 'RELEASE...'"),
    ("an unknown command", ["frob"], "no such command 'frob'; `mlxprobe --help` shows what is right"),
    ("a number that is none", ["bisect", "--good", "1", "--bad", "2", "--repeat", "x"], "'--repeat': 'x' is not"),
    ("a folder as baseline", ["gate", "--baseline", "."], "--baseline .: is a folder; neither a record nor a release"),
    ("a file as baseline", ["gate", "--baseline", __file__], "is a file of another kind; neither a record nor"),
    ("no release as baseline", ["gate", "--baseline", "old"], "--baseline old: neither a record nor a release was"),
    ("a condition that is none", [*BISECT, "--when", "slow"], "--when: 'slow' is not outcome=hang"),
    ("an allowance without a reason", ["gate", "--baseline", "1", "--allow", "a/b"], "--allow a/b: has no reason"),
    ("MLX as a requirement", ["gate", "--baseline", "1", "--requirements", "mlx>1"], "requirements other than MLX"),
    ("a shard without programs", ["matrix", "current", "--shard", "9/9", "--scenario", "step2-hang"],
     "--shard 9/9: has no program to run; all shards together have 1 program"),
    ("a name with a newline", ["watch", "a\nb.py"], "a\\nb.py: there is no such script"),
    ("a device that MLX does not have", ["run", "--device", "tpu"], "--device: 'tpu' is not cpu or gpu"),
]  # fmt: skip


@pytest.mark.parametrize(("arguments", "words"), [case[1:] for case in USAGE], ids=[case[0] for case in USAGE])
def test_wrong_usage_is_one_sentence_and_exit_2(arguments: list[str], words: str) -> None:
    result = call(*arguments)
    assert result.exit_code == 2
    assert result.output.startswith("mlxprobe: ")
    assert words in result.output
    assert len(result.output.splitlines()) == 1


def without(module: str, error: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the command line where importing a module raises an error."""
    program = f"""
import runpy, sys
class Finder:
    def find_spec(self, name, path=None, target=None):
        if name == {module!r}:
            raise {error}
sys.meta_path.insert(0, Finder())
runpy.run_module("mlxprobe", run_name="__main__")
"""
    return subprocess.run(
        [sys.executable, "-c", program, *arguments], capture_output=True, text=True, timeout=GUARD_S, check=False
    )


def test_ctrl_c_in_the_first_milliseconds_shows_no_traceback() -> None:
    ended = without("mlxprobe.cli", "KeyboardInterrupt", "list")
    assert (ended.returncode, ended.stderr) == (130, "")


@pytest.mark.slow
@pytest.mark.parametrize("module", ["rich", "msgspec", "click"])
def test_a_missing_dependency_is_one_sentence(module: str, tmp_path: Path) -> None:
    (tmp_path / "train.py").write_text("import mlx.core as mx\nprint(mx.ones(3).sum().item())\n")
    error = f"ModuleNotFoundError(\"No module named '{module}'\", name={module!r})"
    ended = without(module, error, "watch", str(tmp_path / "train.py"))
    assert len(ended.stderr.splitlines()) == 1, ended.stderr
    assert module in ended.stderr
    if module != "click":  # without it the command line cannot be read
        assert (ended.returncode, ended.stdout) == (0, "3.0\n")


def test_an_mlx_that_does_not_import_says_which_extra_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = tmp_path / "mlx"
    package.mkdir()
    (package / "core.py").write_text("raise ImportError('libmlx.so: cannot open shared object file')")
    (package / "__init__.py").write_text("")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    result = call("run")
    assert result.exit_code == 2
    assert "libmlx.so" in result.output
    assert "'mlx[cpu]'" in result.output or sys.platform == "darwin"


def test_an_interpreter_that_dies_on_import_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    from mlxprobe.supervisor import interpreter

    with pytest.raises(MissingEnvironmentError, match="cannot be run"):
        interpreter.describe("/nowhere/python")


@pytest.mark.slow
def test_run_writes_the_report_and_always_the_latest_record(tmp_path: Path) -> None:
    out = tmp_path / "out.json"
    scenarios = tmp_path / "mine"
    scenarios.mkdir()
    (scenarios / "broken_file.py").write_text("probe = (")
    done = subprocess.run(
        [sys.executable, "-m", "mlxprobe", "run", "--scenario", "step2-hang/only_the_loss_evaluated", "--format",
         "json", "--output", str(out), "--scenarios", str(scenarios)],
        cwd=tmp_path, capture_output=True, text=True, env=os.environ | {"NO_COLOR": "1"}, timeout=GUARD_S, check=False,
    )  # fmt: skip
    assert done.returncode == 2, done.stderr  # for the broken file; the others' results are there all the same
    assert "broken_file.py" in done.stderr
    record = json.loads(out.read_text())
    assert {row["variant"]: row["outcome"] for row in record["programs"]} == {
        "parameters_and_state_evaluated": "pass",
        "only_the_loss_evaluated": "pass",
    }
    assert json.loads((tmp_path / "reports" / "latest-choice" / "record.json").read_text()) == record
    assert not (tmp_path / "reports" / "latest").exists()  # of a run of everything


MISUSES = [
    (
        "an option that there is not",
        ["run", "--nope"],
        "no such option '--nope'; did you mean one of: '--on', '--open'?",
    ),
    ("a file without a name", ["report", ""], "an empty text is no file's name"),
    ("two of them", ["merge", "", ""], "an empty text is no file's name"),
    ("a long argument", ["run", "x" * 9000], "unexpected extra argument (xxx"),
    ("a long command", ["x" * 9000], "no such command 'xxx"),
    ("many arguments", ["run", *["word"] * 3000], "unexpected extra arguments (word word"),
    ("a long path", ["report", "x/" * 9000], "cannot be read"),
]


@pytest.mark.parametrize(("words", "told"), [one[1:] for one in MISUSES], ids=[one[0] for one in MISUSES])
def test_misuse_is_told_in_one_short_sentence(words: list[str], told: str) -> None:
    done = CliRunner().invoke(main, words)
    assert done.exit_code == 2
    assert told in done.output
    assert len(done.output.splitlines()) == 1 and len(done.output) < 2100
    assert ". " not in done.output


def test_a_program_in_a_pipe_is_not_isolated(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "train.py")
    for words in ([str(tmp_path / "train.py")], ["--", "python", str(tmp_path / "train.py")]):
        done = CliRunner().invoke(main, ["isolate", *words])
        assert done.exit_code == 2
        assert "train.py: is a pipe, which can be read once" in done.output
