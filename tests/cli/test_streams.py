"""Streams and files that fail: one sentence, exit code 2, and no report lost."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from click.testing import CliRunner
from making import record
from running import MLXPROBE, PRELUDE, Ran, own_environment, run

import mlxprobe
from mlxprobe.cli.common import main
from mlxprobe.schema.record_io import encode, load

ROOT = Path(mlxprobe.__file__).parents[1]
FULL = pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has none")
STDOUT = {"full": ">/dev/full", "closed": ">&-"}


def shell(folder: Path, streams: str, *words: str) -> Ran:
    return run(["sh", "-c", f'exec "$@" {streams}', "sh", *MLXPROBE, *words], folder)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "r.json").write_bytes(encode(record()))
    return tmp_path


@FULL
@pytest.mark.slow
@pytest.mark.parametrize("stream", STDOUT)
@pytest.mark.parametrize(
    "order",
    [["list"], ["--help"], ["explain", "MP101"], ["report", "--format", "text", "r.json"], ["report", "--help"]],
    ids=" ".join,
)
def test_a_stdout_that_takes_nothing_is_one_sentence(stream: str, order: list[str], folder: Path) -> None:
    ran = shell(folder, STDOUT[stream], *order)
    assert ran.code == 2 and ran.err.startswith("mlxprobe: stdout cannot be written: "), ran
    assert ran.err.count("\n") == 1


@pytest.mark.slow
def test_a_reader_that_has_gone_is_one_sentence(folder: Path) -> None:
    read, write = os.pipe()
    os.close(read)
    done = subprocess.run([*MLXPROBE, "list"], stdout=write, stderr=subprocess.PIPE, env=own_environment(), check=False)
    os.close(write)
    assert (done.returncode, done.stderr) == (2, b"mlxprobe: stdout cannot be written: Broken pipe\n")


@FULL
@pytest.mark.slow
@pytest.mark.parametrize("streams", [">/dev/full", ">&-", "2>/dev/full", "2>&-", ">&- 2>&-", "<&- >&- 2>&-"])
def test_the_file_is_written_whatever_the_streams_do(streams: str, folder: Path) -> None:
    ran = shell(folder, streams, "merge", "--format", "json", "--output", "out.json", "m.json")
    assert ran.code == 2 and "Traceback" not in ran.err  # there is none
    (folder / "m.json").write_text('{"schema_version": 1, "records": []}')
    ran = shell(folder, streams, "merge", "--format", "json", "--output", "out.json", "m.json")
    assert json.loads((folder / "out.json").read_text())["schema_version"] == 1
    assert ran.code == (2 if ">/dev/full" in streams.split() or ">&-" in streams.split() else 0), ran
    assert "Traceback" not in ran.err and "Exception" not in ran.err


@FULL
@pytest.mark.slow
@pytest.mark.parametrize("streams", [">/dev/full", ">&-", "2>/dev/full", "2>&-", "<&- >&- 2>&-"])
@pytest.mark.parametrize("code", [0, 7])
def test_a_watched_program_keeps_its_streams_and_its_exit_code(streams: str, code: int, folder: Path) -> None:
    (folder / "train.py").write_text(f"{PRELUDE}\nraise SystemExit({code})\n")
    ran = shell(folder, streams, "watch", "--format", "json", "--output", "out.json", "train.py")
    assert ran.code == code and "Traceback" not in ran.err, ran
    assert load(folder / "out.json").programs[0].steps == 25


@pytest.mark.slow
def test_a_script_whose_name_is_not_utf_8_is_watched(folder: Path) -> None:
    name = b"tr\xff.py"
    (folder / os.fsdecode(name)).write_text(PRELUDE)
    order = [os.fsencode(word) for word in (*MLXPROBE, "watch", "--format", "json", "--output", "out.json")]
    done = subprocess.run([*order, name], cwd=folder, env=own_environment(), capture_output=True, check=False)
    assert done.returncode == 0 and b"Traceback" not in done.stderr, done.stderr
    (one,) = load(folder / "out.json").programs
    assert (one.program, one.steps) == (r"tr\xff.py", 25)


# What Python itself prints where Ctrl-C comes in a callback of its import system: no program hears of that.
LOST = re.compile(
    rb"Exception ignored in: <function _get_module_lock[^\n]*\nTraceback[^\n]*\n[^\n]*\nKeyboardInterrupt: ?\n"
)
BEGUN = """
from mlxprobe import cli
run = cli._run
def begun():
    print(1, flush=True)
    return run()
cli._run = begun
cli.entry_point()
"""
ONTO = {
    "a script": ["watch", "--output", "r.json", "r.json"],
    "a script by another name": ["watch", "--output", "./x/../r.json", "r.json"],
    "a script behind a link": ["watch", "--output", "link", "r.json"],
    "a command's script": ["watch", "--output", "r.json", "--", sys.executable, "r.json"],
    "a script that is isolated": ["isolate", "--output", "r.json", "r.json"],
    "a baseline": ["watch", "--baseline", "r.json", "--output", "r.json", "train.py"],
    "a gate's baseline": ["gate", "--baseline", "r.json", "--output", "r.json"],
    "a record": ["report", "--output", "r.json", "r.json"],
    "a record to merge": ["merge", "--output", "r.json", "r.json", "other.json"],
    "a matrix": ["matrix", "--matrix", "r.json", "--output", "r.json", "0.32.4"],
}


@pytest.mark.parametrize("name", ONTO)
def test_a_report_is_not_written_over_what_is_read(name: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder)
    (folder / "x").mkdir()
    (folder / "train.py").write_text("")
    (folder / "link").symlink_to("r.json")
    before = (folder / "r.json").read_bytes()
    done = CliRunner().invoke(main, ONTO[name])
    assert done.exit_code == 2 and "--output" in done.stderr and "would be overwritten" in done.stderr, done
    assert (folder / "r.json").read_bytes() == before


def test_a_step_summary_that_cannot_be_written_is_one_sentence(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from mlxprobe.cli.gate import summarise
    from mlxprobe.schema.errors import ProbeError

    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(folder / "none" / "summary.md"))
    with pytest.raises(ProbeError, match=r"GITHUB_STEP_SUMMARY: .*summary\.md: cannot be written: No such file"):
        summarise("# told")


@pytest.mark.slow
@pytest.mark.parametrize(
    "order", [["list"], ["--version"], ["report", "r.json"], ["watch", "--", "sleep", "0.3"]], ids=" ".join
)
def test_ctrl_c_at_any_moment_is_130_without_a_traceback(order: list[str], folder: Path) -> None:
    told = set()
    for k in range(10):
        command = [sys.executable, "-c", BEGUN]
        with subprocess.Popen(
            [*command, *order], cwd=folder, env=own_environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            start_new_session=True,
        ) as one:  # fmt: skip
            assert one.stdout and one.stdout.readline()
            time.sleep(0.03 * k)
            os.kill(one.pid, signal.SIGINT)
            _, err = one.communicate(timeout=60)
        err = LOST.sub(b"", err)
        assert b"Traceback" not in err and b"Aborted" not in err and b"Exception" not in err, err.decode()
        told.add(one.returncode)
    assert told <= {0, 130, -2}, told
    assert told & {130, -2}


IMPORTED = """
import sys
before = {*sys.modules}
from mlxprobe.cli import entry_point
print(*sorted({*sys.modules} - before))
"""


def test_hardly_anything_is_imported_before_an_interrupt_is_caught() -> None:
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", f"import sys; sys.path.insert(0, {str(ROOT)!r}){IMPORTED}"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.split() == ["mlxprobe", "mlxprobe.cli"]


ENDED = """
import os, sys, time
from mlxprobe.cli import entry_point
from mlxprobe.cli import explore
def called(**_):
    os.kill(os.getpid(), number)
    time.sleep(9)
number = int(sys.argv.pop(1))
explore.list_.callback = called
entry_point()
"""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_gives_its_own_exit_code(number: int, folder: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", ENDED, str(int(number)), "list"], env=own_environment(), capture_output=True, check=False
    )
    assert (done.returncode, done.stderr) == (128 + number, b"mlxprobe: interrupted\n")


@pytest.mark.slow
@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGHUP, 129)])
def test_a_command_that_a_signal_ends_says_so(number: int, code: int, folder: Path) -> None:
    os.mkfifo(folder / "waits")
    with subprocess.Popen(
        [*MLXPROBE, "report", "waits"], cwd=folder, env=own_environment(), stderr=subprocess.PIPE
    ) as one, (folder / "waits").open("wb"):  # fmt: skip
        time.sleep(1)  # opened by both: the command waits for a byte
        one.send_signal(number)
        assert (one.stderr and one.stderr.read()) == b"mlxprobe: interrupted\n"
    assert one.returncode == code


@pytest.mark.slow
@pytest.mark.parametrize("encoding", ["latin-1", "cp1252"])
@pytest.mark.parametrize("form", ["text", "json", "markdown"])
def test_a_stdout_without_our_signs_gets_others(encoding: str, form: str, folder: Path) -> None:
    order = [*MLXPROBE, "report", "--format", form, "r.json"]
    done = subprocess.run(
        order, cwd=folder, env=own_environment() | {"PYTHONIOENCODING": encoding}, capture_output=True, check=False
    )
    assert done.returncode == 0 and done.stderr == b"", done.stderr
    assert done.stdout.decode(encoding)
    if form == "json":
        json.loads(done.stdout.decode(encoding))


def test_several_records_as_json_are_one_list(folder: Path) -> None:
    done = CliRunner().invoke(main, ["report", "--format", "json", str(folder / "r.json"), str(folder / "r.json")])
    assert done.exit_code == 0 and [one["mlxprobe"] for one in json.loads(done.stdout)] == [mlxprobe.__version__] * 2
