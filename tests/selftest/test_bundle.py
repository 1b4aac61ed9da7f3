"""The bundle of a self-test: what it has in it, what it tells of nobody, and who reads it."""

import importlib.metadata
import platform
import signal
import socket
import subprocess
import zipfile
from pathlib import Path

import msgspec
import pytest
from click.testing import CliRunner
from making import HERE, seen
from running import MLXPROBE, own_environment, run
from watching import GUARD_S, until

from mlxprobe.cli import main
from mlxprobe.runner.runner import Runner
from mlxprobe.runner.schedule import Task
from mlxprobe.schema.enums import Outcome
from mlxprobe.schema.errors import UsageError
from mlxprobe.schema.observation import Frame, Stack
from mlxprobe.schema.record import Expectation, ProgramRecord, Record, Verdict
from mlxprobe.schema.record_io import load, row, slim
from mlxprobe.schema.versions import HOSTILE, SCHEMA_VERSION
from mlxprobe.selftest.bundle import packed, versions
from mlxprobe.selftest.parts import guarded, parts
from mlxprobe.selftest.redaction import Private
from mlxprobe.settings.table import resolve
from mlxprobe.upgrade.history import read

HOME, USER, HOST = "/Users/zoe.q", "zoe.q", "zoes-laptop"
PRIVATE = Private([(HOME, "~"), ("/venv", "<python>")], [(USER, "<user>"), (HOST, "<host>"), ("mlx", "<user>")])
FILES = {"record.json", "doctor.txt", "versions.txt", "log.txt"}


def program(scenario: str, variant: str, **changes: object) -> ProgramRecord:
    verdict = Verdict(outcome=Outcome.PASS, reason="finished")
    found = row(seen(), (), verdict, Expectation(), scenario=scenario, variant=variant)
    return msgspec.structs.replace(found, **changes)


def record(*programs: ProgramRecord) -> Record:
    here = msgspec.structs.replace(HERE, executable=f"{HOME}/bin/python")
    return Record(SCHEMA_VERSION, "0.1.0", "2026-01-01T00:00:00+00:00", here, programs)


def bundle_of(folder: Path, made: Record) -> Path:
    file = folder / "out.zip"
    texts = {"log.txt": f"{USER}@{HOST}: {HOME}/x\n", "doctor.txt": "buffers 499,000\n"}
    file.write_bytes(packed(made, texts, PRIVATE))
    return file


def contents(file: Path) -> dict[str, str]:
    with zipfile.ZipFile(file) as bundle:
        return {name: bundle.read(name).decode() for name in bundle.namelist()}


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("File '/Users/zoe.q/train.py', line 3", "File '~/train.py', line 3"),
        ("/Users/zoe.quinn/train.py", "~/train.py"),
        ("/home/other/train.py", "~/train.py"),
        ("/venv/lib/python3.11", "<python>/lib/python3.11"),
        ("/venvs/lib", "/venvs/lib"),
        ("Zoe.Q@zoes-laptop.local says", "<user>@<host>.local says"),
        ("import mlx.core as mx", "import mlx.core as mx"),
        ("/data/run-zoe.q_2/zoe.q.log", "/data/run-<user>_2/<user>.log"),
        ("zoe.quux and Zoe.q1", "zoe.quux and Zoe.q1"),
        ("/Users/Other Name/x.py: it", "~/x.py: it"),
        ("/Users/other said", "~ said"),
        (
            {"scenario": "zoe.q-test", "variant": "a", "reason": "zoe.q-test"},
            {"scenario": "zoe.q-test", "variant": "a", "reason": "<user>-test"},
        ),
        ({"/Users/zoe.q/a": ["/Users/zoe.q/b", 1.5, None]}, {"~/a": ["~/b", 1.5, None]}),
    ],
    ids=str,
)
def test_paths_and_names_are_taken_out_and_nothing_else(text: object, left: object) -> None:
    assert PRIVATE.hidden(text) == left


def test_a_bundle_is_read_wherever_a_record_is(tmp_path: Path) -> None:
    stack = Stack(pid=1, thread="main", frames=(Frame(file=f"{HOME}/train.py", line=3, function="train"),))
    file = bundle_of(tmp_path, record(program("step2-hang", "a", stacks=(stack,), output_tail=f"{HOME}/x {USER}")))
    assert not any(word in text for text in contents(file).values() for word in (HOME, USER, HOST))
    (one,) = load(file).programs
    assert (one.name, one.stacks[0].frames[0].file, one.output_tail) == ("step2-hang/a", "~/train.py", "~/x <user>")
    assert [made.programs for made in read([file])[0]] == [load(file).programs]


def test_a_zip_of_something_else_is_wrong_usage(tmp_path: Path) -> None:
    file = tmp_path / "other.zip"
    with zipfile.ZipFile(file, "w") as made:
        made.writestr("photo.jpg", b"")
    with pytest.raises(UsageError, match=r"other\.zip: no bundle of `mlxprobe selftest`: there is no record\.json"):
        load(file)


def test_a_baseline_of_a_bundle_has_its_scenarios_alone(tmp_path: Path) -> None:
    made = record(program("step2-hang", "a"), program(HOSTILE, "busy_loop"))
    assert [one.name for one in slim(made).programs] == ["step2-hang/a"]
    done = CliRunner().invoke(
        main, ["report", str(bundle_of(tmp_path, made)), "--format", "text", "--records", str(tmp_path / "kept")]
    )
    assert done.exit_code == 0
    assert "hostile-children" in done.output
    kept = load(tmp_path / "kept" / "mlx-0.32.4-cpu.json")
    assert [one.name for one in kept.programs] == ["step2-hang/a"]
    assert kept.environment.executable == ""


def test_who_asks_for_records_alone_gets_no_page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    order = ["report", str(bundle_of(tmp_path, record(program("step2-hang", "a")))), "--records", "kept"]
    done = CliRunner().invoke(main, order)
    assert (done.exit_code, done.stderr) == (0, "mlxprobe: kept/mlx-0.32.4-cpu.json\n")
    assert not (tmp_path / "report.html").exists() and (tmp_path / "kept" / "mlx-0.32.4-cpu.json").exists()


@pytest.mark.parametrize(
    ("form", "begins", "says"),
    [
        ("text", "buffers 499,000\n\nhostile-children\n", "busy_loop"),
        ("markdown", "```text\nbuffers 499,000\n```\n\n# mlxprobe\n", "## hostile-children"),
        ("json", '{\n  "schema_version"', '"busy_loop"'),
    ],
)
def test_a_bundle_is_shown_as_other_records_are(form: str, begins: str, says: str, tmp_path: Path) -> None:
    file = bundle_of(tmp_path, record(program(HOSTILE, "busy_loop")))
    done = CliRunner().invoke(main, ["report", str(file), "--format", form])
    assert done.exit_code == 0
    assert done.output.startswith(begins)
    assert says in done.output


def test_versions_are_told_also_where_mlxprobe_is_not_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    assert {"mlxprobe", "mlx", "numpy", "psutil", "python"} <= names(versions())

    def missing(name: str) -> list[str]:
        raise importlib.metadata.PackageNotFoundError(name)

    monkeypatch.setattr("importlib.metadata.requires", missing)
    assert {"mlxprobe", "mlx", "numpy", "python"} <= names(versions())


def names(told: str) -> set[str]:
    return {line.split(" ")[0] for line in told.splitlines()}


def test_what_fails_is_a_row_and_loses_nothing_else() -> None:
    def fails(runner: Runner) -> ProgramRecord:
        raise ZeroDivisionError("no such figure")

    task = guarded(Task(name="overhead/short", run=fails, again=fails))
    found = task.run(Runner(resolve({}), HERE))
    assert (found.name, found.outcome, found.as_expected) == ("overhead/short", Outcome.UNJUDGED, False)
    assert "ZeroDivisionError: no such figure" in found.reason
    assert "fails" in found.output_tail


def test_parts_are_chosen_by_the_names_of_reports() -> None:
    chosen = parts([], ["hostile-children/b*", "overhead"], 2)
    names = [task.name for part in chosen for task in part.tasks]
    assert {name.split("/")[0] for name in names} == {"hostile-children", "overhead"}
    assert "hostile-children/busy_loop" in names
    assert "hostile-children/waits" not in names
    with pytest.raises(UsageError, match="no scenario is called 'hostile-childern'"):
        parts([], ["hostile-childern"], 2)


@pytest.mark.slow
@pytest.mark.timeout(GUARD_S)
def test_a_small_self_test_whole(tmp_path: Path) -> None:
    """A part of each kind; a home and a user of its own, that nothing in the file may name."""
    home = tmp_path / "homes" / "zoe-quux"
    home.mkdir(parents=True)
    chosen = ["healthy-trainers/classifier", "hostile-children/raises", "nothing-trainable/*"]
    words = [word for one in chosen for word in ("--scenario", one)]
    done = run(
        [*MLXPROBE, "selftest", "--bundle", "out.zip", *words],
        home,
        HOME=str(home),
        USER="zoe-quux",
        LOGNAME="zoe-quux",
    )
    assert done.code == 0, done.out + done.err
    found = load(home / "out.zip")
    assert found.complete
    assert {one.group for one in found.programs} == {"healthy-trainers", "hostile-children", "nothing-trainable"}
    texts = contents(home / "out.zip")
    assert set(texts) == FILES
    secret = (str(home), str(tmp_path), "zoe-quux", socket.gethostname(), platform.node())
    assert [word for word in secret for text in texts.values() if word in text] == []
    assert len(texts["log.txt"].splitlines()) == len(found.programs)
    assert "mlx 0." in texts["versions.txt"]


@pytest.mark.slow
@pytest.mark.timeout(GUARD_S)
@pytest.mark.usefixtures("default_signals")
def test_ctrl_c_keeps_what_there_is(tmp_path: Path) -> None:
    chosen = ["--scenario", "healthy-trainers/classifier", "--scenario", "hostile-children"]
    with subprocess.Popen(
        [*MLXPROBE, "selftest", "--bundle", "out.zip", *chosen],
        cwd=tmp_path, env=own_environment(), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    ) as running:  # fmt: skip
        assert until((tmp_path / "out.zip").exists)  # the trainer is through; of 38 children some are not
        running.send_signal(signal.SIGINT)
        assert running.wait(GUARD_S) == 130
    found = load(tmp_path / "out.zip")
    assert not found.complete
    assert found.programs[0].name == "healthy-trainers/classifier"
    assert len(found.programs) < 39
