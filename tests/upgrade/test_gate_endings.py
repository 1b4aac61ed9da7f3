"""How gates and bisections end, without another release of MLX: a record, or an index of our own, is the other side."""

import json
import os
import sys
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest
from click.testing import CliRunner, Result
from making import HERE, record, record_row
from wheels import wheel

from mlxprobe.cli import main
from mlxprobe.releases import environments, index
from mlxprobe.schema.enums import Outcome, Role
from mlxprobe.schema.errors import ProbeError
from mlxprobe.schema.record import Record
from mlxprobe.schema.record_io import encode
from mlxprobe.supervisor import interpreter

SCENARIO = '''
"""One loop raises.

Symptom: it raises. Cause: it is told to. Fix: tell it not to.
"""
import mlx.core

from mlxprobe import Outcome, Scenario

probe = Scenario()


@probe.correct
def fine():
    """Do nothing."""


@probe.broken(expects=Outcome.ERROR)
def raises():
    """Raise."""
    raise ValueError("broken since then")
'''
PROGRAM = "gated/raises"


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Make a project with a scenario that raises, and the record of a release where it passed."""
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "gated.py").write_text(SCENARIO.lstrip())
    (tmp_path / "pyproject.toml").write_text('[tool.mlxprobe]\nscenarios = ["mine"]\n')
    (tmp_path / "old.json").write_bytes(encode(passed()))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def passed() -> Record:
    rows = [
        record_row(scenario="gated", variant="fine", role=Role.CORRECT, losses=(), memory=(), samples=(), step_s=()),
        record_row(Outcome.PASS, scenario="gated", variant="raises", losses=(), memory=(), samples=(), step_s=()),
    ]
    return record(*rows, environment=interpreter.usable())


def gate(*arguments: str) -> Result:
    return CliRunner().invoke(main, ["gate", "--baseline", "old.json", "--scenario", "gated", *arguments])


ALLOWING = [
    ("nothing allowed", [], "", 1, "1 regression"),
    ("the program", ["--allow", f"{PROGRAM}=known"], "", 0, "allowed: known"),
    ("the aspect", ["--allow", f"{PROGRAM}:outcome=known"], "", 0, "allowed: known"),
    ("another aspect", ["--allow", f"{PROGRAM}:time=known"], "", 1, "1 regression"),
    ("a program that did not run", ["--allow", "gone/*=known"], "", 1, "gone/*=known: matches no program that ran"),
    ("the project allows it", [], f'"{PROGRAM}:outcome" = "known there"', 0, "allowed: known there"),
    ("the project's line for another program is quiet", [], '"broadcast-blow-up/*" = "known"', 1, "1 regression"),
    ("the project's line for no program", [], '"gone/*" = "known"', 1, "'gone/*': matches no program that there is"),
]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("flags", "line", "code", "words"), [case[1:] for case in ALLOWING], ids=[case[0] for case in ALLOWING]
)
def test_what_is_allowed(flags: list[str], line: str, code: int, words: str, project: Path) -> None:
    with (project / "pyproject.toml").open("a") as file:
        file.write(f"[tool.mlxprobe.allow]\n{line}\n")
    done = gate(*flags)
    assert done.exit_code == code, done.output
    assert words in done.output
    assert ("matches no program" in done.output) is ("matches no program" in words)
    assert [text for text in done.stdout.splitlines() if text != text.rstrip()] == []


FORMS = ["text", "json", "markdown", "junit", "github", "html"]


@pytest.mark.slow
@pytest.mark.parametrize("form", FORMS)
def test_a_release_without_a_wheel_for_this_platform_is_skipped(form: str, project: Path, index: Path) -> None:
    wheel(index, "mlx", "5.0.0", {"mlx/core.py": ""}, tag="cp311-cp311-macosx_99_0_arm64")
    done = gate("--candidate", "5.0.0", "--format", form)
    assert done.exit_code == 0, done.output
    assert "mlx 5.0.0 has no wheel for this platform" in done.stdout
    assert "::error" not in done.stdout
    kept = json.loads((project / "reports" / "latest-choice" / "gate.json").read_text())
    assert "no wheel" in kept["skipped"]


@pytest.mark.slow
@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("allowed", ["", "*=known"])
def test_a_candidate_that_does_not_import_is_a_regression(form: str, allowed: str, project: Path, index: Path) -> None:
    done = gate("--candidate", "2.0.0", "--format", form, *(["--allow", allowed] if allowed else []))
    assert done.exit_code == 1, done.output
    assert "mlx 2.0.0 installs but does not import: ImportError: libmlx.so" in done.stdout
    assert ("::error" in done.stdout) is (form == "github")
    assert done.stderr.startswith("mlxprobe: mlx 2.0.0 installs but does not import: ImportError: libmlx.so")


@pytest.mark.slow
def test_a_baseline_that_does_not_import_gives_no_verdict(project: Path, index: Path) -> None:
    done = CliRunner().invoke(main, ["gate", "--baseline", "2.0.0", "--scenario", "gated"])
    assert done.exit_code == 2, done.output
    assert "2.0.0 → current: no verdict: mlx 2.0.0 installs but does not import" in done.stdout
    assert done.stderr.startswith("mlxprobe: mlx 2.0.0 installs but does not import: ImportError: libmlx.so; ")


def broken_cache(project: Path, patch: pytest.MonkeyPatch) -> None:
    patch.setenv("UV_CACHE_DIR", __file__)


def closed_index(project: Path, patch: pytest.MonkeyPatch) -> None:
    patch.delenv("UV_CONFIG_FILE")
    for name, value in (("UV_NO_CONFIG", "1"), ("UV_HTTP_RETRIES", "0"), ("UV_DEFAULT_INDEX", "http://127.0.0.1:9/")):
        patch.setenv(name, value)


NO_ENVIRONMENT = [
    ("a broken cache", broken_cache, "Failed to initialize cache"),
    ("an index that does not answer", closed_index, "Failed to fetch: http://127.0.0.1:9/"),
]


@pytest.mark.slow
@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize(
    ("break_it", "words"), [one[1:] for one in NO_ENVIRONMENT], ids=[one[0] for one in NO_ENVIRONMENT]
)
def test_a_gate_without_an_environment_says_why_in_every_format(
    break_it: Callable[[Path, pytest.MonkeyPatch], None], words: str, form: str, project: Path, index: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    break_it(project, monkeypatch)
    done = gate("--candidate", "1.0.0", "--format", form)
    assert done.exit_code == 2, done.output
    assert words in done.stdout
    assert ("::error title=mlxprobe gate::" in done.stdout) is (form == "github")
    assert 'errors="1"' in done.stdout or form != "junit"
    assert len(done.stderr.splitlines()) == 1 and words in done.stderr
    assert words in json.loads((project / "reports" / "latest-choice" / "gate.json").read_text())["problem"]


@pytest.mark.slow
def test_a_full_disk_gives_no_verdict(project: Path, index: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(environments, "_build", full)
    done = gate("--candidate", "1.0.0")
    assert done.exit_code == 2, done.output
    assert "no verdict: " in done.stdout
    assert "cannot be written: No space left on device" in done.stderr


@pytest.mark.slow
def test_an_index_that_does_not_answer_is_told_without_advice_on_ranges(
    project: Path, index: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def silent() -> list[str]:
        raise ProbeError("the package index does not list mlx-cpu (Connection refused)")

    monkeypatch.setattr("mlxprobe.releases.index.listed", silent)
    for candidate, advice in (("latest", "a release instead of latest"), (">=1", "the releases instead of >=1")):
        done = gate("--candidate", candidate)
        told = f"the package index does not list mlx-cpu (Connection refused); name {advice}"
        assert (done.exit_code, done.stderr) == (2, f"mlxprobe: {told}\n")
    done = many("bisect", "--good", "0.31.2", "--bad", "0.32.4", "--scenario", PROGRAM)
    assert done.exit_code == 2 and done.stderr.endswith("mlx-cpu (Connection refused)\n")


@pytest.mark.slow
def test_a_candidate_that_is_no_python_is_told_on_stderr(project: Path) -> None:
    done = gate("--candidate", "python=/bin/true")
    assert done.exit_code == 2, done.output
    assert done.stderr == "mlxprobe: /bin/true: ended with 0 while importing mlx.core, and said nothing\n"


UNDONE = [
    ("a release of another package", ["--candidate", "mlx-lm==1.0"]),
    ("a wheel that is gone", ["--candidate", "./gone-1-py3-none-any.whl"]),
    ("a baseline that is gone", ["--baseline", "gone.json"]),
    ("an option's value", ["--random", "0"]),
    ("an option that there is not", ["--nope"]),
    ("a setting's value", ["--timeout", "soon"]),
    ("a file that cannot be written", ["--output", "old.json/report"]),
    ("no command", ["--"]),
    ("an empty command", ["--", ""]),
]


@pytest.mark.parametrize("flags", [one[1] for one in UNDONE], ids=[one[0] for one in UNDONE])
def test_what_keeps_a_gate_from_its_work_is_annotated(flags: list[str], project: Path) -> None:
    done = gate("--format", "github", *flags)
    assert done.exit_code == 2, done.output
    (line,) = done.stdout.splitlines()
    assert line == f"::error title=mlxprobe gate::{done.stderr.removeprefix('mlxprobe: ').rstrip()}"
    assert gate(*flags).stdout == ""


@pytest.mark.slow
@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no full device here")
@pytest.mark.parametrize("form", ["text", "github"])
def test_a_report_that_cannot_be_written_is_no_pass(form: str, project: Path) -> None:
    done = gate("--allow", f"{PROGRAM}=known", "--format", form, "--output", "/dev/full")
    assert done.exit_code == 2, done.output
    assert "no regression" not in done.stdout
    assert "no verdict: /dev/full: cannot be written: No space left on device" in done.stdout
    assert done.stdout.splitlines()[-1].startswith("::error title=mlxprobe gate::/dev/full") is (form == "github")


UNSEEDED = """import random
import mlx.core as mx, mlx.nn as nn, mlx.optimizers as optim
mx.random.seed(random.randrange(10**9))
model, optimizer = nn.Linear(4, 1), optim.SGD(learning_rate=0.05)
step = nn.value_and_grad(model, lambda model, x, y: ((model(x) - y) ** 2).mean())
for _ in range(9):
    x = mx.random.normal((32, 4))
    loss, gradients = step(model, x, x.sum(1, keepdims=True))
    optimizer.update(model, gradients)
    mx.eval(model.parameters(), loss)
    print(loss.item())
"""


@pytest.mark.slow
def test_a_program_without_a_seed_does_not_differ_from_itself(project: Path) -> None:
    (project / "train.py").write_text(UNSEEDED)
    here = f"python={sys.executable}"
    done = CliRunner().invoke(main, ["gate", "--baseline", here, "--candidate", here, "--", "python", "train.py"])
    assert done.exit_code == 2, done.output
    assert "own runs differ" in done.stdout


TRAIN = "import mlx.core as mx\nprint(mx.ones(3).sum().item())\n"
PROGRAMS = [
    ("never imports MLX", "print('done')", [], "its main process never imported MLX"),
    ("raises before it imports MLX", "raise ValueError", [], "its main process never imported MLX"),
    ("lacks a package", "import no_such_package", [], "has no module no_such_package"),
    ("every run ends by --timeout", TRAIN + "while True: pass", ["--timeout", "6s"], "ended by a limit"),
    ("every run ends by --memory-limit", TRAIN + "held = [b'1' * 10**7 for _ in range(40)]\nwhile True: pass",
     ["--memory-limit", "200MB"], "ended by a limit"),
]  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize(("text", "flags", "words"), [one[1:] for one in PROGRAMS], ids=[one[0] for one in PROGRAMS])
@pytest.mark.parametrize("way", ["command", "entry"])
def test_a_program_without_an_outcome_on_both_sides_is_no_pass(
    text: str, flags: list[str], words: str, way: str, project: Path
) -> None:
    (project / "train.py").write_text(text)
    here = f"python={sys.executable}"
    order = ["gate", "--baseline", here, "--candidate", here, "--format", "github", *flags]
    if way == "entry":
        with (project / "pyproject.toml").open("a") as file:
            file.write('[tool.mlxprobe.programs]\nmine = {command = "python train.py"}\n')
        order += ["--scenario", "programs/mine", "--scenario", "gated"]
    done = CliRunner().invoke(main, order if way == "entry" else [*order, "--", "python", "train.py"])
    assert done.exit_code == 2, done.output
    name = "programs/mine" if way == "entry" else "programs/train.py"
    assert words in done.stdout
    (error,) = [line for line in done.stdout.splitlines() if line.startswith("::error")]
    assert name in error
    assert "no verdict: " in error


@pytest.mark.slow
@pytest.mark.parametrize(("allowed", "code"), [([], 1), (["--allow", f"{PROGRAM}=known"], 2)])
def test_random_programs_that_cannot_be_run_hide_no_regression(
    allowed: list[str], code: int, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise ProbeError("no temporary folder can be made")

    monkeypatch.setattr("mlxprobe.cli.gate._with_random", full)
    done = gate("--random", "5", *allowed)
    assert done.exit_code == code, done.output
    assert "no temporary folder can be made" in done.stdout


@pytest.mark.slow
def test_a_baseline_that_has_none_of_the_programs_is_no_pass(project: Path) -> None:
    (project / "old.json").write_bytes(encode(record(environment=interpreter.usable())))
    done = gate()
    assert done.exit_code == 2, done.output
    assert "no verdict: no program could be compared: gated/fine (not in the baseline)" in done.output


@pytest.mark.slow
def test_a_scenario_file_that_cannot_be_read_is_no_pass(project: Path) -> None:
    (project / "mine" / "torn.py").write_text("def (")
    done = gate("--allow", f"{PROGRAM}=known")
    assert done.exit_code == 2, done.output
    assert "torn.py" in done.stdout


@pytest.mark.parametrize("package", ["mlx-lm", "mlxfoo", "mlx-cuda"])
@pytest.mark.parametrize("side", ["--candidate", "--baseline"])
def test_a_release_of_another_package_is_wrong_usage(package: str, side: str, project: Path) -> None:
    done = gate(side, f"{package}==0.31.2")
    assert done.exit_code == 2
    assert len(done.stderr.splitlines()) == 1
    assert package in done.stderr


@pytest.mark.slow
def test_a_candidate_that_does_not_exist_is_wrong_usage(project: Path, index: Path) -> None:
    done = gate("--candidate", "3.0.0")
    assert done.exit_code == 2
    assert done.output == "mlxprobe: there is no release 3.0.0 of MLX; the index has 1.0.0, 2.0.0\n"


@pytest.mark.slow
def test_a_requirement_that_cannot_be_met_is_not_skipped(project: Path, index: Path) -> None:
    wheel(index, "picky", "1.0", {"picky.py": ""}, "Requires-Dist: mlx>=2\n")
    done = gate("--candidate", "1.0.0", "--requirements", "picky")
    assert done.exit_code == 2
    assert "no verdict: mlx 1.0.0 cannot be installed with the requirements picky: " in done.stdout
    assert len(done.stdout.splitlines()) == len(done.stderr.splitlines()) == 1


OTHERS = [
    ("truncated", encode(record())[:200], "old.json: not a whole mlxprobe record"),
    ("of another schema", b'{"schema_version": 7}', "old.json: record of schema version 7; this mlxprobe reads"),
    ("of another device", encode(record(environment=msgspec.structs.replace(HERE, device="gpu"))),
     "the baseline is of the device gpu, these runs are of cpu; a baseline of the same device is right"),
    ("of an interrupted run", encode(record(complete=False)), "the record of an interrupted run"),
    ("gone", None, "old.json: cannot be read: No such file"),
]  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize(("data", "words"), [case[1:] for case in OTHERS], ids=[case[0] for case in OTHERS])
def test_a_baseline_that_cannot_be_used_is_told(data: bytes | None, words: str, project: Path) -> None:
    (project / "old.json").unlink()
    if data is not None:
        (project / "old.json").write_bytes(data)
    done = gate()
    assert done.exit_code == 2
    assert words in done.output
    assert len(done.output.splitlines()) == 1


ENDS = [
    ("equal", ["--good", "0.31.2", "--bad", "0.31.2"], "--good and --bad are both 0.31.2"),
    ("swapped", ["--good", "0.32.0", "--bad", "0.31.2"], "wrong way round: swap them, or use --find-fix"),
    ("a fix, swapped", ["--good", "0.31.2", "--bad", "0.32.0", "--find-fix"], "leave --find-fix out"),
    ("an interpreter", ["--good", "current", "--bad", "0.32.0"], "current is not a release of the index"),
    ("nonsense", ["--good", "0.31.2", "--bad", "nonsense"], "--bad: 'nonsense' is not a release, such as 0.31.2"),
]


@pytest.mark.parametrize(("ends", "words"), [case[1:] for case in ENDS], ids=[case[0] for case in ENDS])
def test_ends_that_make_no_bisection_are_told(
    ends: list[str], words: str, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(index, "listed", lambda: ["0.31.2", "0.32.0"])
    done = CliRunner().invoke(main, ["bisect", *ends, "--scenario", PROGRAM])
    assert done.exit_code == 2
    assert words in done.output
    assert len(done.output.splitlines()) == 1


def many(*arguments: str) -> Result:
    return CliRunner().invoke(main, list(arguments))


@pytest.mark.slow
def test_a_matrix_tells_a_platform_without_a_wheel_from_a_defect_and_a_failure(
    project: Path, index: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wheel(index, "mlx", "5.0.0", {"mlx/core.py": ""}, tag="cp311-cp311-macosx_99_0_arm64")
    done = many("matrix", "5.0.0", "--scenario", "gated", "--matrix", "one.json")
    assert done.exit_code == 0, done.output
    assert "skipped 5.0.0: mlx 5.0.0 has no wheel for this platform" in done.stdout
    done = many("matrix", "2.0.0", "--scenario", "gated", "--matrix", "two.json")
    assert done.exit_code == 1, done.output
    assert "broken 2.0.0: mlx 2.0.0 installs but does not import: ImportError: libmlx.so" in done.stdout
    broken_cache(project, monkeypatch)
    done = many("matrix", "1.0.0", "2.0.0", "--scenario", "gated", "--matrix", "three.json")
    assert done.exit_code == 2, done.output
    assert "failed 1.0.0: Failed to initialize cache" in done.stdout
    assert len(done.stderr.splitlines()) == 1


@pytest.mark.slow
def test_a_matrix_in_which_no_program_imports_mlx_is_no_pass(project: Path) -> None:
    (project / "train.py").write_text("print('done')")
    with (project / "pyproject.toml").open("a") as file:
        file.write('[tool.mlxprobe.programs]\nmine = {command = "python train.py"}\n')
    done = many("matrix", "current", "--scenario", "programs/mine")
    assert done.exit_code == 2, done.output
    assert "no program could be compared: programs/mine (on 0.32" in done.stderr
    assert "no outcome changes" not in done.stdout and "no program could be compared" in done.stdout
    for more in (["current", "--timeout", "1.5s"], ["python=/bin/true"]):
        (project / "train.py").write_text(TRAIN + "while True: pass")
        done = many("matrix", *more, "--scenario", "programs/mine", "--matrix", f"{more[0][:3]}.json")
        assert done.exit_code == 2, done.output
        assert "no outcome changes" not in done.stdout and "no program could be compared" in done.stdout


BISECTIONS = [
    ("a good end that never imports MLX", "print('done')", [], "compare with: its main process never imported MLX"),
    ("a good end that --timeout ends", TRAIN + "while True: pass", ["--timeout", "6s"], "ended by a limit"),
]  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize(
    ("text", "flags", "words"), [one[1:] for one in BISECTIONS], ids=[one[0] for one in BISECTIONS]
)
def test_a_bisection_without_an_outcome_at_the_good_end_is_no_pass(
    text: str, flags: list[str], words: str, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(index, "listed", lambda: ["0.31.2", "0.32.0"])
    monkeypatch.setattr("mlxprobe.cluster.executor.provide", lambda *_: interpreter.usable())
    (project / "train.py").write_text(text)
    done = many("bisect", "--good", "0.31.2", "--bad", "0.32.0", *flags, "--", "python", "train.py")
    assert done.exit_code == 2, done.output
    assert words in done.stderr


@pytest.mark.slow
def test_why_a_scenario_that_is_asked_for_cannot_be_read_is_told(project: Path) -> None:
    (project / "mine" / "spoilt.py").write_text("def train(:\n")
    here = f"python={sys.executable}"
    order = ["gate", "--baseline", here, "--candidate", here, "--scenario", "spoilt"]
    done = CliRunner().invoke(main, order)
    assert done.exit_code == 2, done.output
    assert "spoilt.py:1: invalid syntax" in done.stderr


@pytest.mark.slow
def test_a_step_summary_that_cannot_be_written_is_no_pass(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    os.mkfifo(project / "summary")
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(project / "summary"))
    done = gate("--allow", f"{PROGRAM}=known", "--format", "github")
    assert done.exit_code == 2, done.output
    assert "no regression" not in done.stdout
    assert done.stdout.splitlines()[-1].startswith("::error title=mlxprobe gate::GITHUB_STEP_SUMMARY: ")
