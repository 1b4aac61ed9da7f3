"""A process that asked to be watched: it is told of by who is beside it, and the two part without a trace."""

import os
import re
import signal
import stat
import subprocess
import sys
import tempfile
from pathlib import Path

import psutil
import pytest
from running import PRELUDE, UNTRAINED, own_environment, run
from watching import GUARD_S, MARK, marked, until

pytestmark = pytest.mark.slow

ENABLED = PRELUDE + "import mlxprobe\nmlxprobe.enable({})\n"
LOCKED = (
    "import threading\nlock = threading.Lock()\nlock.acquire()\nprint('stands', flush=True)\nlock.acquire()  # here\n"
)
GIL_HELD = """import ctypes
libc, mutex = ctypes.PyDLL(None), ctypes.create_string_buffer(128)
libc.pthread_mutex_init(mutex, None)
libc.pthread_mutex_lock(mutex)
print('stands', flush=True)
libc.pthread_mutex_lock(mutex)  # here
"""
LAZY = "for _ in range(40):\n    loss, grads = gradients(model)\n    optimizer.update(model, grads)\n"
LISTED = """
import json, logging
logging.basicConfig(level="INFO", format="%(levelname)s %(name)s %(message)s")
with mlxprobe.watching() as seen:
    pass
with mlxprobe.watching() as seen:
    {}
print(json.dumps([one.code for one in seen.findings]), len(seen.sheet.optimizers))
print(seen.diagnosis.outcome, seen.diagnosis.record.finished, mlxprobe.Seen().findings)
"""


class Hosted:
    """A program that has asked to be watched, and whoever is beside it."""

    def __init__(self, folder: Path, text: str) -> None:
        file = folder / "program.py"
        file.write_text(text)
        self.mark = str(folder)
        (folder / "tmp").mkdir()
        environment = own_environment(TMPDIR=str(folder / "tmp"), **{MARK: self.mark})
        self.err = (folder / "err").open("w+")
        self.program = subprocess.Popen(
            [sys.executable, str(file)], cwd=folder, env=environment, stdout=subprocess.PIPE, stderr=self.err, text=True
        )

    @property
    def beside(self) -> list[psutil.Process]:
        return [one for one in marked(self.mark) if one.pid != self.program.pid]

    def until_it_says(self, word: str) -> None:
        assert self.program.stdout is not None
        assert any(line.strip() == word for line in self.program.stdout), self.told()

    def told(self) -> str:
        return Path(self.err.name).read_text()

    def __enter__(self) -> "Hosted":
        return self

    def __exit__(self, *_: object) -> None:
        self.program.kill()
        self.program.communicate(timeout=GUARD_S)
        self.err.close()
        assert until(lambda: not marked(self.mark)), "somebody is left"
        assert until(lambda: not list((Path(self.mark) / "tmp").iterdir())), "files are left"


def test_a_healthy_program_is_told_so_at_its_end_and_behaves_as_alone(tmp_path: Path) -> None:
    (tmp_path / "program.py").write_text(ENABLED.format("") + "train(30)\nprint(train(3) < 1)\nraise SystemExit(3)")
    ran = run([sys.executable, "program.py"], tmp_path)
    assert (ran.code, ran.out) == (3, "True\n")
    assert "33 steps" in ran.err and "healthy: no finding" in ran.err


def test_what_is_found_is_told_at_the_end_at_disable_and_never_twice(tmp_path: Path) -> None:
    (tmp_path / "program.py").write_text(ENABLED.format("") + LAZY + "mlxprobe.disable()\nprint('goes on')\n" + LAZY)
    ran = run([sys.executable, "program.py"], tmp_path)
    assert ran.out == "goes on\n" and ran.err.count("MP101 error unevaluated-update") == 1
    assert "program.py:" in ran.err and "40 steps" in ran.err


def test_a_block_is_watched_and_its_findings_are_at_hand(tmp_path: Path) -> None:
    body = PRELUDE + "import mlxprobe" + LISTED.format(LAZY.replace("\n", "\n    "))
    (tmp_path / "program.py").write_text(body)
    ran = run([sys.executable, "program.py"], tmp_path)
    assert ran.out == '["MP101"] 1\nunhealthy True ()\n', ran.err
    assert len(re.findall("ERROR mlxprobe MP101 27 more operations .* \\(.*program.py:\\d+\\)", ran.err)) == 1


def test_a_block_that_raises_is_told_of_and_raises(tmp_path: Path) -> None:
    body = (
        PRELUDE + "import mlxprobe\nseen = mlxprobe.watching()\ntry:\n    with seen as told:\n        mx.eval(1 / 0)\n"
    )
    (tmp_path / "program.py").write_text(body + "except ZeroDivisionError:\n    print(told.diagnosis.reason)\n")
    assert run([sys.executable, "program.py"], tmp_path).out == "ZeroDivisionError: division by zero\n"


@pytest.mark.parametrize("stands", [LOCKED, GIL_HELD], ids=["on a lock", "with the interpreter's lock in C"])
def test_a_hang_is_told_while_it_lasts(tmp_path: Path, stands: str) -> None:
    line = (ENABLED.format("stall_s=1") + stands).count("\n")
    with Hosted(tmp_path, ENABLED.format("stall_s=1") + stands) as hosted:
        hosted.until_it_says("stands")
        assert until(lambda: "deadlock: nothing has moved" in hosted.told())
        assert f"program.py:{line} (" in hosted.told()
        assert hosted.program.poll() is None
        (beside,) = hosted.beside
        assert hosted.program.pid != beside.ppid()
        os.kill(hosted.program.pid, signal.SIGUSR2)  # no handler of Python's can run
        assert until(lambda: "still running" in hosted.told())


def test_a_process_that_is_killed_takes_nobody_with_it_and_leaves_nobody(tmp_path: Path) -> None:
    with Hosted(tmp_path, ENABLED.format("") + "import signal\nprint('stands', flush=True)\nsignal.pause()") as hosted:
        hosted.until_it_says("stands")
        hosted.program.kill()
        assert until(lambda: not hosted.beside)
        assert "gone without a word" in hosted.told()


def test_a_program_ends_as_ever_where_nobody_is_beside_it_any_more(tmp_path: Path) -> None:
    text = ENABLED.format("") + "import sys\nprint('stands', flush=True)\nsys.stdin.read()\ntrain(100)\nprint('done')"
    with Hosted(
        tmp_path, text.replace("sys.stdin.read()", "import os\nwhile not os.path.exists('go'): pass")
    ) as hosted:
        hosted.until_it_says("stands")
        (beside,) = hosted.beside
        beside.kill()
        (tmp_path / "go").touch()
        hosted.until_it_says("done")
        assert hosted.program.wait(GUARD_S) == 0 and not hosted.told()
        for left in (tmp_path / "tmp").iterdir():  # whom it would have been for is dead
            subprocess.run(["rm", "-r", str(left)], check=True)


def test_the_program_finds_no_child_that_it_does_not_know(tmp_path: Path) -> None:
    (tmp_path / "program.py").write_text(
        ENABLED.format("") + "import os\ntry:\n    os.wait()\nexcept ChildProcessError:\n    print('none')"
    )
    assert run([sys.executable, "program.py"], tmp_path).out == "none\n"


def test_a_variable_watches_programs_that_nobody_can_edit_where_they_train(tmp_path: Path) -> None:
    (tmp_path / "program.py").write_text(UNTRAINED + LAZY)
    ran = run([sys.executable, "program.py"], tmp_path, MLXPROBE_ENABLE="1")
    assert "MP101 error unevaluated-update" in ran.err
    silent = run([sys.executable, "-c", "import mlx.core as mx; print(mx.ones(1))"], tmp_path, MLXPROBE_ENABLE="1")
    assert (silent.out, silent.err) == ("array([1], dtype=float32)\n", "")


POOL = """
import multiprocessing as mp, os
def work(k):
    train(5)
    return k
{}
if __name__ == "__main__":
    train(30)
    with mp.get_context("spawn").Pool(1) as pool: print(pool.map(work, range(2)))
"""


@pytest.mark.parametrize("by", ["a line at the top", "a variable"])
def test_a_worker_that_is_spawned_works_as_ever_and_its_end_is_no_crash(tmp_path: Path, by: str) -> None:
    enables = "import mlxprobe\nmlxprobe.enable()" if by == "a line at the top" else ""
    (tmp_path / "program.py").write_text(UNTRAINED + POOL.format(enables))
    ran = run([sys.executable, "program.py"], tmp_path, **({} if enables else {"MLXPROBE_ENABLE": "1"}))
    assert (ran.code, ran.out) == (0, "[0, 1]\n")
    assert "crash" not in ran.err and ran.err.count("30 steps") == 1, ran.err
    told = ran.err.count("trained ")  # a worker may have come to its end before its pool ends it, and tells of itself
    assert told == 1 or (told == ran.err.count("10 steps") + 1 == 2 and not enables), ran.err


def test_forks_of_a_program_that_is_watched_end_as_ever_and_take_nobody_with_them(tmp_path: Path) -> None:
    forks = "import multiprocessing as mp\nwith mp.get_context('fork').Pool(2) as pool: print(pool.map(abs, [-1, 2]))\n"
    forks += (
        "import os\npid = os.fork()\nif pid == 0: raise SystemExit(5)\nprint(os.WEXITSTATUS(os.wait()[1]))\ntrain(30)"
    )
    (tmp_path / "program.py").write_text(ENABLED.format("") + forks)
    ran = run([sys.executable, "-W", "ignore", "program.py"], tmp_path)
    assert (ran.code, ran.out) == (0, "[1, 2]\n5\n")
    assert "crash" not in ran.err and ran.err.count("trained ") == 1, ran.err


LOADED = ("psutil", "click", "msgspec", "rich", "json", "select", "socket", "logging", "mlxprobe", "sitecustomize")


def test_nothing_is_loaded_from_the_folder_that_a_program_runs_in(tmp_path: Path) -> None:
    anybodys = tmp_path / "anybodys"
    anybodys.mkdir()
    anybodys.chmod(0o777)
    for name in LOADED:
        (anybodys / f"{name}.py").write_text("open('loaded', 'a').write(__name__)")
    (tmp_path / "program.py").write_text(ENABLED.format("") + "train(30)")
    ran = run([sys.executable, str(tmp_path / "program.py")], anybodys)
    assert ran.code == 0 and "30 steps" in ran.err
    assert {one.name for one in anybodys.iterdir()} == {f"{name}.py" for name in LOADED}


def test_nothing_listens_and_all_that_others_could_open_is_the_users_alone(tmp_path: Path) -> None:
    text = (
        "import os\nos.umask(0)\n" + ENABLED.format("") + "import signal\nprint('stands', flush=True)\nsignal.pause()"
    )
    with Hosted(tmp_path, text) as hosted:
        hosted.until_it_says("stands")
        for one in (*hosted.beside, psutil.Process(hosted.program.pid)):
            assert [held for held in one.net_connections("all") if held.laddr or held.status == "LISTEN"] == []
        (folder,) = (Path(hosted.mark) / "tmp").iterdir()
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700 and folder.stat().st_uid == os.getuid()
        files = list(folder.iterdir())
        assert files and not any(stat.S_IMODE(file.stat().st_mode) & 0o077 for file in files)


def test_enable_under_watch_changes_nothing(tmp_path: Path) -> None:
    from running import report_of

    (tmp_path / "program.py").write_text(UNTRAINED + "import mlxprobe\nmlxprobe.enable()\n" + LAZY)
    ran, seen = report_of(tmp_path, "program.py")
    own = [told for told in ran.err.splitlines() if not told.startswith("mlxprobe: ")]  # a slow run is told of live
    assert (ran.code, own) == (0, [])
    assert [one["code"] for one in seen["findings"]] == ["MP101"]


def test_a_setting_that_is_none_says_so(tmp_path: Path) -> None:
    (tmp_path / "program.py").write_text(ENABLED.format("stall_s=-1"))
    assert "stall" in run([sys.executable, "program.py"], tmp_path).err.splitlines()[-1]


def test_the_package_is_light_until_it_is_asked() -> None:
    words = "import sys, mlxprobe; print([one for one in ('mlx', 'psutil', 'msgspec', 'numpy') if one in sys.modules])"
    assert run([sys.executable, "-c", words], Path(tempfile.gettempdir())).out == "[]\n"
