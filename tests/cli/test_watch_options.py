"""`mlxprobe watch`: when it ends a program, what it reports, in which form, and with which exit code."""

import json
import re
import sys
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest
from running import MLXPROBE, PRELUDE, report_of, run, start_s, watch

pytestmark = pytest.mark.slow

FAULTY = PRELUDE.replace("SGD(0.1)", "SGD(0.0)")  # MP210, MP306
HEALTHY = PRELUDE
ENDLESS = PRELUDE + "import time\nwhile True: train(1); time.sleep(0.01)"

CODES = [
    ("findings alone", FAULTY, [], 0),
    ("errors where errors fail", FAULTY, ["--fail-on", "error"], 1),
    ("ignored errors", FAULTY, ["--fail-on", "error", "--ignore", "MP2"], 0),
    ("warnings where warnings fail", HEALTHY + "mx.eval(model.parameters)", ["--fail-on", "warning"], 1),
    ("warnings where errors fail", HEALTHY + "mx.eval(model.parameters)", ["--fail-on", "error"], 0),
    ("a healthy program", HEALTHY, ["--fail-on", "note"], 0),
    ("a program that fails by itself", FAULTY + "\nraise SystemExit(5)", ["--fail-on", "error"], 5),
    ("enough healthy steps", ENDLESS, ["--steps", "30", "--fail-on", "warning"], 0),
    ("enough steps with errors", ENDLESS.replace("0.1)", "0.0)"), ["--steps", "60", "--fail-on", "error"], 1),
    ("a finding waited for", ENDLESS.replace("0.1)", "0.0)"), ["--until-finding", "--fail-on", "error"], 1),
    ("a silence over its limit", HEALTHY + "import time; time.sleep(9999)", ["--stall-limit", "1"], 1),
    ("memory over it", HEALTHY + "import time; k = b'x' * 4 * 10**8; time.sleep(9999)", ["--memory-limit", "300MB"], 1),
    ("what cannot be judged", "print(1)", ["--fail-on", "error"], 0),
]  # fmt: skip


@pytest.mark.parametrize(("source", "options", "code"), [row[1:] for row in CODES], ids=[row[0] for row in CODES])
def test_the_exit_code_of(source: str, options: list[str], code: int, tmp_path: Path) -> None:
    (tmp_path / "train.py").write_text(source)
    ran = watch(tmp_path, *options, "train.py")
    assert ran.code == code, ran.err


def test_the_exit_code_of_time_that_is_up(tmp_path: Path) -> None:
    (tmp_path / "train.py").write_text(ENDLESS)
    ran = watch(tmp_path, "--timeout", f"{1 + 2 * start_s(tmp_path):.1f}", "train.py")
    assert ran.code == 1, ran.err


@pytest.fixture
def faulty(tmp_path: Path) -> Path:
    (tmp_path / "train.py").write_text(FAULTY)
    return tmp_path


def codes(row: dict[str, object]) -> set[str]:
    return {one["code"] for one in row.get("findings", [])}  # type: ignore[attr-defined]


def test_a_baseline_accepts_what_is_known(faulty: Path) -> None:
    _, row = report_of(faulty, "train.py")
    assert codes(row) == {"MP210", "MP306"}
    report = f"{faulty}-report.json"
    Path(report).rename(faulty / "known.json")
    (faulty / "train.py").write_text("\n\n" + FAULTY)
    ran, row = report_of(faulty, "--baseline", "known.json", "--fail-on", "warning", "train.py")
    assert ran.code == 0 and codes(row) == set()
    said = watch(faulty, "--baseline", "known.json", "train.py")
    assert "no new finding (2 accepted)" in said.err and "healthy" not in said.err


UNCHECKED = "not checked: MP303, MP304 (no ids were seen, of an embedding or as targets)\n"
FORMS = [
    ("text", lambda text: bool(re.search(r"train.py:1\d: MP210 error", text)) and "\x1b" not in text),
    ("json", lambda text: json.loads(text)["programs"][0]["exit_code"] == 0),
    ("junit", lambda text: ET.fromstring(text).tag == "testsuites"),
    ("github", lambda text: "::error file=train.py,line=1" in text),
    ("sarif", lambda text: {one["ruleId"] for one in json.loads(text)["runs"][0]["results"]} >= {"MP210", "MP306"}),
]


@pytest.mark.parametrize(("form", "holds"), FORMS, ids=[row[0] for row in FORMS])
def test_the_report_is_in_its_file_and_its_text_on_stderr(form: str, holds: object, faulty: Path) -> None:
    ran = watch(faulty, "--format", form, "--output", "out", "train.py")
    assert callable(holds) and holds((faulty / "out").read_text())
    assert ran.out == "" and re.search(r"^not healthy: 1 error", ran.err, re.MULTILINE) and UNCHECKED in ran.err


def test_without_a_file_the_report_is_on_stderr(faulty: Path) -> None:
    ran = watch(faulty, "--format", "json", "train.py")
    assert ran.out == "" and json.loads(ran.err)["programs"]


@pytest.mark.parametrize("option", ["--output /dev/null/out", "--output .", "--steps -1", "--format pdf"])
def test_what_cannot_be_is_told_before_the_program_runs(option: str, tmp_path: Path) -> None:
    (tmp_path / "train.py").write_text("open('ran', 'w')")
    ran = watch(tmp_path, *option.split(), "train.py")
    assert ran.code == 2 and "Traceback" not in ran.err
    assert not (tmp_path / "ran").exists()


def test_what_a_slow_reader_holds_back_comes_whole(tmp_path: Path) -> None:
    (tmp_path / "train.py").write_text(
        PRELUDE + "import sys\nfor _ in range(100): sys.stdout.write('x' * 999_999 + '\\n')"
    )
    read = "import sys, time; print(sum(time.sleep(0.01) or len(sys.stdin.buffer.read(1_000_000)) for _ in range(101)))"
    words = [*MLXPROBE, "watch", "--output", "out", "train.py"]
    shell = f"{' '.join(words)} | {sys.executable} -c '{read}'; exit ${{PIPESTATUS[0]}}"
    ran = run(["bash", "-c", shell], tmp_path)
    assert (ran.code, ran.out) == (0, "100000000\n"), ran.err


PEAK = """
import re
def peak(): return int(re.search(r"VmHWM:\\s+(\\d+)", open("/proc/self/status").read())[1])
"""  # ru_maxrss begins with that of the process that started this one
SHORT = """
import mlx.core as mx
gradients = mx.value_and_grad(lambda w: w * w)
w = mx.array(1.0)
for step in range(%d):
    loss, grad = gradients(w)
    w = w - 1e-6 * grad
    loss.item()
    if step == 10_000: before = peak()
print(peak() - before)
"""
OURS = """
import sys
from mlxprobe.cli import main
sys.argv[1:] = ["watch", "--output", "out", "train.py"]
try: main()
finally: print(peak())
"""


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells a peak of its own")
def test_very_many_short_steps_need_no_more_memory(tmp_path: Path) -> None:
    (tmp_path / "train.py").write_text(PEAK + SHORT % 60_000)
    (tmp_path / "ours.py").write_text(PEAK + OURS)
    ran = run([sys.executable, "ours.py"], tmp_path)
    program, ours = map(int, ran.out.split())
    assert program < 8_000, "kilobytes of the program with its agent, after 10,000 steps"
    assert ours < 120_000, "kilobytes of the supervisor"
