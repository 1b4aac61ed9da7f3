"""Gate, matrix and bisect on real releases, from the command line to the exit code."""

import json
import os
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest
from making import HERE
from watching import GUARD_S

from mlxprobe.reports import annotations
from mlxprobe.reports.gate import GATE_FORMATS, GATE_SCHEMA_VERSION, GateReport, answer
from mlxprobe.runner.programs import ad_hoc, agent_words, declared
from mlxprobe.schema.errors import UsageError
from mlxprobe.upgrade.allowances import allow, ordered
from mlxprobe.upgrade.diff import Change, Comparison, Difference

LINUX = sys.platform == "linux"
WORSE = Difference(what="outcome", change=Change.REGRESSION, text="pass → error: no stream")
BROKEN = Comparison(program="prefetch-thread/lazy_batches", differences=(WORSE,))


def report(*comparisons: Comparison) -> GateReport:
    return GateReport(
        schema_version=GATE_SCHEMA_VERSION,
        baseline="mlx 0.31.2",
        candidate="mlx 0.32.4",
        environment=HERE,
        comparisons=comparisons,
    )


@pytest.mark.parametrize("form", GATE_FORMATS)
def test_every_format_tells_the_regression_and_the_answer(form: str) -> None:
    text = GATE_FORMATS[form](report(BROKEN, Comparison(program="a/same")))
    assert "prefetch-thread" in text
    assert "no stream" in text
    if form in ("text", "markdown", "github"):
        assert "mlx 0.31.2 → mlx 0.32.4: 1 regression (1 same)" in text


def test_an_allowed_regression_is_no_error_anywhere() -> None:
    (one,) = allow([BROKEN], ordered(["*=known"]))
    assert "::error" not in GATE_FORMATS["github"](report(one))
    assert 'failures="0"' in GATE_FORMATS["junit"](report(one))
    assert "no regression" in GATE_FORMATS["text"](report(one))


@pytest.mark.parametrize("form", GATE_FORMATS)
def test_every_format_tells_why_a_gate_was_skipped(form: str) -> None:
    made = GateReport(schema_version=GATE_SCHEMA_VERSION, baseline="0.31.2", candidate="0.33.0", skipped="no wheel")
    assert "no wheel" in GATE_FORMATS[form](made)
    if form in ("text", "markdown", "github"):
        assert "0.31.2 → 0.33.0: skipped: no wheel" in GATE_FORMATS[form](made)


COUNTS = [
    ("nothing differs", [Comparison(program="a/b")], "no regression (1 same)"),
    ("one regression alone", [BROKEN], "1 regression"),
    ("two", [BROKEN, BROKEN, Comparison(program="a/b")], "2 regressions (1 same)"),
    ("an allowed one", [*allow([BROKEN], ordered(["*=known"]))], "no regression (1 allowed)"),
]


@pytest.mark.parametrize(("found", "told"), [case[1:] for case in COUNTS], ids=[case[0] for case in COUNTS])
def test_the_answer_counts(found: list[Comparison], told: str) -> None:
    assert answer(report(*found)) == f"mlx 0.31.2 → mlx 0.32.4: {told}"


EVIL = "libmlx.so: \x1b[31m\n::error::injected\x1b]0;t\x07"


@pytest.mark.parametrize("form", GATE_FORMATS)
@pytest.mark.parametrize("field", ["problem", "skipped", "notes", "comparisons", "candidate"])
def test_no_text_of_others_begins_a_line_or_steers_a_terminal(field: str, form: str) -> None:
    worse = Comparison(program=f"a/{EVIL}", differences=(msgspec.structs.replace(WORSE, text=EVIL),), allowed=EVIL)
    given = {"notes": (EVIL,), "comparisons": (worse,)}.get(field, EVIL)
    told = GATE_FORMATS[form](msgspec.structs.replace(report(), **{field: given}))
    assert "\x1b" not in told and "\x07" not in told
    assert not any(line.startswith("::error::") for line in told.splitlines())
    if form in ("text", "github") and field != "notes":
        assert len(told.splitlines()) <= 4


def test_annotations_are_escaped() -> None:
    assert annotations.command("error", "50 %\nmore", title="a:b") == "::error title=a%3Ab::50 %25%0Amore"


PROGRAMS = [
    ("an unknown key", {"command": "python a.py", "colour": 1}, r"programs\.mine\]: Object contains unknown field"),
    ("no command", {}, "missing required field `command`"),
    ("an unknown aspect", {"command": "python a.py", "compare": ["speed"]}, "compare: 'speed' is not one of"),
    ("a folder that is not there", {"command": "python a.py", "folder": "gone"}, "gone does not exist"),
]


@pytest.mark.parametrize(("given", "words"), [case[1:] for case in PROGRAMS], ids=[case[0] for case in PROGRAMS])
def test_a_bad_program_is_told(given: dict[str, object], words: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=words):
        declared(tmp_path / "pyproject.toml", {"programs": {"mine": given}})


def test_what_a_command_means_to_the_agent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "train.py").write_text("")
    assert agent_words(ad_hoc(["python", "train.py", "--smoke"]), sys.executable) == ("script", "train.py", "--smoke")
    assert agent_words(ad_hoc(["python3", "-m", "train", "x"]), sys.executable) == ("module", "train", "x")
    for command, words in (
        (["python", "gone.py"], r"gone\.py does not exist"),
        (["python", "-c", "pass"], "is neither `python FILE` nor `python -m MODULE`"),
        (["no-such-tool"], "is neither python nor a Python console script"),
    ):
        with pytest.raises(UsageError, match=words):
            agent_words(ad_hoc(command), sys.executable)


def call(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "mlxprobe", *arguments],
        cwd=folder, capture_output=True, text=True, env=os.environ | {"NO_COLOR": "1"}, timeout=GUARD_S, check=False,
    )  # fmt: skip


@pytest.mark.slow
@pytest.mark.skipif(not LINUX, reason="the break was measured on Linux, CPU")
def test_the_gate_finds_a_real_break_and_tells_its_mending(tmp_path: Path) -> None:
    order = ["gate", "--scenario", "prefetch-thread", "--format", "github"]
    done = call(tmp_path, *order, "--baseline", "0.31.2", "--candidate", "0.32.4")
    assert done.returncode == 1, done.stderr
    assert "::error title=prefetch-thread/lazy_batches%3A regression::outcome: pass → error" in done.stdout
    assert "There is no Stream" in done.stdout
    done = call(tmp_path, *order, "--baseline", "0.32.4", "--candidate", "0.31.2")
    assert done.returncode == 0, done.stderr
    assert "::notice title=prefetch-thread/lazy_batches%3A fixed" in done.stdout
    stored = json.loads((tmp_path / "reports" / "latest-choice" / "gate.json").read_text())
    assert stored["candidate"] == "mlx 0.31.2"


@pytest.mark.slow
@pytest.mark.skipif(not LINUX, reason="the break was measured on Linux, CPU")
def test_bisect_finds_the_release_of_a_users_own_program(tmp_path: Path) -> None:
    (tmp_path / "train.py").write_text(
        "import threading\nimport mlx.core as mx\nmade = []\n"
        "loader = threading.Thread(target=lambda: made.append(mx.arange(4) + 1))\n"
        "loader.start()\nloader.join()\nprint(made[0].tolist())\n"
    )
    order = ["bisect", "--good", "0.31.1", "--bad", "0.32.1", "--", "python", "train.py"]
    done = call(tmp_path, *order)
    assert done.returncode == 0, done.stderr
    assert "the first bad release is 0.32.0" in done.stdout
    assert "│  0.32.0 ✗" in done.stdout
    again = call(tmp_path, *order)
    assert again.stdout.splitlines()[0] == done.stdout.splitlines()[0]


@pytest.mark.slow
@pytest.mark.skipif(not LINUX, reason="the break was measured on Linux, CPU")
def test_the_matrix_marks_the_change_and_resumes(tmp_path: Path) -> None:
    order = ["matrix", "0.31.2", "0.32.0", "--scenario", "prefetch-thread", "--records", "kept"]
    done = call(tmp_path, *order)
    assert done.returncode == 0, done.stderr
    assert "prefetch-thread/lazy_batches" in done.stdout
    assert "▸error" in done.stdout
    assert (tmp_path / "kept" / "mlx-0.32.0-cpu.json").is_file()
    again = call(tmp_path, *order)
    assert again.stdout == done.stdout
    assert "ok " not in again.stderr


@pytest.mark.slow
def test_a_release_that_does_not_exist_is_told(tmp_path: Path) -> None:
    done = call(tmp_path, "gate", "--baseline", "0.31.9", "--scenario", "step2-hang")
    assert done.returncode == 2
    assert "there is no release 0.31.9 of MLX; the index has 0.26.5" in done.stderr
