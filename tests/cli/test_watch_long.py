"""`mlxprobe watch` of what runs for long: what ends on the way, a terminal, a disk, the night, ends no program."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from running import MLXPROBE, PRELUDE, UNTRAINED, Terminal, own_environment, run, watch
from watching import GUARD_S, until

from mlxprobe.cli.watch_output import Report
from mlxprobe.runner.finding_filter import Selection
from mlxprobe.schema.enums import HangKind
from mlxprobe.schema.observation import Silence

RELOADS = '<meta http-equiv="refresh"'
GOES_ON = PRELUDE + "import os\nwhile not os.path.exists('go'): train(2)\nopen('done', 'w').close()\n"
EVERY = ("--every", "0.2s", "--format", "json", "--output", "report.json")


@pytest.mark.slow
def test_the_page_is_written_anew_while_it_runs_and_reloads_itself_until_the_end(tmp_path: Path) -> None:
    pytest.importorskip("jinja2")
    copies = "import os, shutil\nwhile not os.path.exists('page.html'): train(2)\nshutil.copy('page.html', 'then.html')"
    (tmp_path / "train.py").write_text(UNTRAINED + copies)
    ran = watch(tmp_path, "--every", "0.2s", "--format", "html", "--output", "page.html", "train.py")
    then, last = ((tmp_path / name).read_text() for name in ("then.html", "page.html"))
    assert ran.code == 0 and RELOADS in then and "still running" in then
    assert RELOADS not in last and "still running" not in last


@pytest.mark.slow
def test_what_cannot_be_written_is_told_once_and_the_program_goes_on(tmp_path: Path) -> None:
    blocks = "import shutil, time\nshutil.rmtree('out'); open('out', 'w').close()\nend = time.time() + 2\n"
    (tmp_path / "train.py").write_text(PRELUDE + blocks + "while time.time() < end: train(2)\nprint('done')")
    ran = watch(tmp_path, "--every", "0.2s", "--format", "json", "--output", "out/report.json", "train.py")
    assert ran.out == "done\n" and ran.code == 2
    assert ran.err.count("cannot be written") == 2 and "healthy: no finding" in ran.err  # once live, once at the end


FILLS = """
import os, time
def fill():
    with open("full", "wb", buffering=0) as file:
        while True: file.write(bytes(65536))
try: fill()
except OSError as error: print(error.strerror, flush=True)
end = time.time() + 1.5
while time.time() < end: train(2)
os.remove("full")
train(2)
"""


@pytest.mark.slow
def test_a_disk_that_is_full_for_a_while_loses_nothing(tmp_path: Path) -> None:
    small = ["unshare", "--user", "--map-root-user", "--mount", "sh", "-c"]
    small += ['mount -t tmpfs -o size=8m tmpfs "$0" && cd "$0" && cp "$1" train.py && shift && "$@"; code=$?; '
              'cp report.json "$0.json"; exit $code', str(tmp_path / "disk")]  # fmt: skip
    (tmp_path / "disk").mkdir()
    if subprocess.run([*small, "/dev/null", "true"], capture_output=True, check=False, cwd=tmp_path).returncode:
        pytest.skip("nobody may mount a disk here")
    (tmp_path / "train.py").write_text(PRELUDE + FILLS)
    changes = {"TMPDIR": str(tmp_path / "disk")}
    ran = run([*small, str(tmp_path / "train.py"), *MLXPROBE, "watch", *EVERY, "train.py"], tmp_path, **changes)
    assert (ran.code, ran.out) == (0, "No space left on device\n"), ran.err
    assert ran.err.count("cannot be written: No space left on device") == 1 and "healthy: no finding" in ran.err
    last = json.loads((tmp_path / "disk.json").read_text())
    assert last.get("complete", True) and last["programs"][0]["finished"]


@pytest.mark.slow
@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has none")
def test_a_log_on_a_full_disk_ends_nothing(tmp_path: Path) -> None:
    (tmp_path / "train.py").write_text(UNTRAINED + "for _ in range(40): optimizer.update(model, gradients(model)[1])")
    order = ["sh", "-c", 'exec "$@" 2> /dev/full', "sh", *MLXPROBE, "watch", *EVERY[2:], "train.py"]
    assert run(order, tmp_path).code == 0
    (row,) = json.loads((tmp_path / "report.json").read_text())["programs"]
    assert row["finished"] and [one["code"] for one in row["findings"]] == ["MP101"]


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="whether it has a terminal is read off /proc")
@pytest.mark.usefixtures("default_signals")
@pytest.mark.parametrize("told", ["us", "all"])
def test_a_terminal_that_is_closed_ends_what_it_would_end_and_the_report_is_written(tmp_path: Path, told: str) -> None:
    (tmp_path / "train.py").write_text(GOES_ON)
    with Terminal([*MLXPROBE, "watch", *EVERY, "train.py"], tmp_path) as terminal:
        assert until(lambda: _wall_s(tmp_path) > 0)
        os.close(terminal.fd)
        terminal.fd = os.open(os.devnull, os.O_RDONLY)
        assert until(lambda: not _has_terminal(terminal.pid))
        if told == "all":
            os.killpg(terminal.pid, signal.SIGHUP)  # as a shell does
        else:
            then_s = _wall_s(tmp_path)
            assert until(lambda: _wall_s(tmp_path) > then_s + 1 or not _runs(terminal.pid))  # it has heard of it
            (tmp_path / "go").touch()
        terminal.code = os.waitstatus_to_exitcode(os.waitpid(terminal.pid, 0)[1])
    report = json.loads((tmp_path / "report.json").read_text())
    assert report.get("complete", True) and (tmp_path / "done").exists() is (told == "us")
    assert terminal.code == report["programs"][0]["exit_code"] == (0 if told == "us" else -signal.SIGHUP)


def _wall_s(folder: Path) -> float:
    file = folder / "report.json"
    return float(json.loads(file.read_text())["wall_s"]) if file.exists() else 0.0


def _runs(pid: int) -> bool:
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"


def _has_terminal(pid: int) -> bool:
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[4] != "0"


@pytest.mark.slow
@pytest.mark.usefixtures("default_signals")
def test_a_machine_that_slept_had_no_hang(tmp_path: Path) -> None:
    (tmp_path / "train.py").write_text(GOES_ON)
    order = [*MLXPROBE, "watch", "--stall-limit", "2", *EVERY, "train.py"]
    watched = subprocess.Popen(
        order, cwd=tmp_path, env=own_environment(), stderr=subprocess.PIPE, text=True, start_new_session=True
    )
    assert until(lambda: _wall_s(tmp_path) > 0)
    for _ in range(2):
        os.killpg(watched.pid, signal.SIGSTOP)
        until(lambda: False, 3)
        watched.send_signal(signal.SIGCONT)  # the one who judges wakes first
        os.killpg(watched.pid, signal.SIGCONT)
        woke_s = _wall_s(tmp_path)
        assert until(lambda: _wall_s(tmp_path) > woke_s + 1 or watched.poll() is not None)  # noqa: B023
    (tmp_path / "go").touch()
    err = watched.communicate(timeout=GUARD_S)[1]
    assert watched.returncode == 0 and "nothing has moved" not in err and "healthy: no finding" in err


def silent_for(seconds: float, kind: HangKind = HangKind.WAITING) -> Any:
    silence = Silence(silent_s=seconds, cpu_s=0.0, kind=kind)
    return SimpleNamespace(
        hang_detector=SimpleNamespace(silence=silence),
        silent_s=seconds,
        ends_silence=False,
        processes=SimpleNamespace(programs=[]),
    )


def listening() -> tuple[Any, list[str]]:
    said: list[str] = []
    running: Any = SimpleNamespace()
    Report("text", None, Selection()).listen(running, said.append, advice="")
    return running, said


def test_a_silence_that_lasts_or_comes_again_is_told_once_and_when_it_has_become_much_longer() -> None:
    running, said = listening()
    for seconds in (60, 120, 90, 240, 70, 480, 960, 4000):
        running.silent(silent_for(seconds))
    assert said == [f"waiting: nothing has moved for {seconds} s" for seconds in (60, 960)]
    running.silent(silent_for(60, HangKind.DEADLOCK))
    assert said[-1].startswith("deadlock")


def test_what_we_fail_at_is_told_once() -> None:
    running, said = listening()
    for _ in range(3):
        with pytest.raises(ZeroDivisionError) as raised:
            _ = 1 / 0
        running.failed(raised.value)
    (told,) = said
    assert "a fault of mlxprobe's own" in told and "ZeroDivisionError" in told and "test_watch_long.py" in told


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--every", "1min"], "--every requires --output"),
        (["--every", "soon", "--output", "x.json"], "--every: 'soon' is not a time from 1ms"),
    ],
    ids=["no file", "no time"],
)
def test_a_wrong_interval_says_what_is_right(tmp_path: Path, words: list[str], told: str) -> None:
    from click.testing import CliRunner

    from mlxprobe.cli import main

    (tmp_path / "train.py").write_text("")
    assert told in CliRunner().invoke(main, ["watch", *words, str(tmp_path / "train.py")]).stderr
