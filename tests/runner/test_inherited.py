"""A watched program inherits what it would inherit unwatched: descriptors, blocked signals, the environment."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from running import MLXPROBE, PRELUDE, Ran, own_environment, run
from watching import GUARD_S

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("default_signals")]

CALLER = """
import os, signal, sys
def put(fd, number):
    os.dup2(fd, number, inheritable=True)
    os.close(fd)
{}
os.execvp(sys.argv[1], sys.argv[1:])
"""
FILES = "for number in (7, 9, 50): put(os.open(f'file{number}', os.O_RDWR | os.O_CREAT), number)"
PIPE = "r, w = os.pipe(); os.write(w, b'print(5)'); os.close(w); put(r, 63)"
BOTH_ENDS = "r, w = os.pipe(); put(r, 40); put(w, 41)"
BLOCKS = "signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM, signal.SIGUSR1, signal.SIGALRM, signal.SIGPIPE])"
OPEN = """
def is_open(fd):
    try: return bool(os.fstat(fd))
    except OSError: return False
print(list(filter(is_open, range(900))))
"""
WATCH = (*MLXPROBE, "watch", "--format", "json", "--output", "report.json")


def called(prepared: str, folder: Path, *words: str) -> Ran:
    """Run a command as a caller does that has prepared its own process."""
    return run([sys.executable, "-c", CALLER.format(prepared), *words], folder)


def compared(prepared: str, source: str, folder: Path, *arguments: str) -> str:
    """Run a program bare and watched, in two ways; return what it prints, which is the same."""
    (folder / "train.py").write_text(source)
    bare = called(prepared, folder, sys.executable, "train.py", *arguments)
    for words in (["train.py"], ["--", sys.executable, "train.py"]):
        watched = called(prepared, folder, *WATCH, *words, *arguments)
        assert (watched.code, watched.out) == (bare.code, bare.out), watched.err
    assert bare.code == 0, bare.err
    return bare.out


def test_descriptors_come_under_their_numbers(tmp_path: Path) -> None:
    source = PRELUDE + "import os\n" + OPEN + "os.write(7, b'7'); print(os.lseek(50, 3, 0), os.lseek(9, 0, 1))\n"
    assert compared(FILES, source, tmp_path) == "[0, 1, 2, 7, 9, 50]\n3 0\n"
    assert (tmp_path / "file7").read_bytes() == b"7"


def test_a_pipe_that_a_shell_names_can_be_read(tmp_path: Path) -> None:
    assert compared(PIPE, PRELUDE + "import sys; print(open(sys.argv[1]).read())", tmp_path, "/dev/fd/63") == (
        "print(5)\n"
    )


def test_such_a_pipe_can_be_the_script(tmp_path: Path) -> None:
    watched = called(PIPE, tmp_path, *WATCH, "/dev/fd/63")
    assert (watched.code, watched.out) == (0, "5\n"), watched.err


def test_a_pipe_ends_when_the_program_closes_it(tmp_path: Path) -> None:
    source = PRELUDE + "import os; os.close(41); print(os.read(40, 9))"
    assert compared(BOTH_ENDS, source, tmp_path) == "b''\n"


def test_the_report_may_go_to_a_descriptor(tmp_path: Path) -> None:
    (tmp_path / "train.py").write_text(PRELUDE)
    called(FILES, tmp_path, *MLXPROBE, "watch", "--format", "json", "--output", "/dev/fd/50", "train.py")
    assert json.loads((tmp_path / "file50").read_text())["programs"]


def test_blocked_signals_stay_blocked(tmp_path: Path) -> None:
    source = PRELUDE + "import signal; print(*sorted(map(int, signal.pthread_sigmask(signal.SIG_BLOCK, []))))"
    blocked = [signal.SIGTERM, signal.SIGUSR1, signal.SIGALRM, signal.SIGPIPE]
    assert compared(BLOCKS, source, tmp_path).split() == [str(int(one)) for one in sorted(blocked)]


def test_a_blocked_signal_for_us_alone_is_handed_on(tmp_path: Path) -> None:
    waits = "import signal; print('ready', flush=True); print(signal.sigtimedwait([signal.SIGTERM], 60).si_signo)"
    (tmp_path / "train.py").write_text(PRELUDE + waits)
    order = [sys.executable, "-c", CALLER.format(BLOCKS), *MLXPROBE, "watch", "train.py"]
    watched = subprocess.Popen(
        order, cwd=tmp_path, env=own_environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        start_new_session=True,
    )  # fmt: skip
    assert watched.stdout is not None and watched.stdout.readline() == "ready\n"
    watched.terminate()
    out, err = watched.communicate(timeout=GUARD_S)
    assert (watched.returncode, out) == (0, "15\n"), err


def test_a_program_that_ends_by_a_signal_its_caller_blocked_ends_us_alike(tmp_path: Path) -> None:
    opens = "import os, signal; signal.pthread_sigmask(signal.SIG_SETMASK, []); os.kill(os.getpid(), signal.SIGTERM)"
    (tmp_path / "train.py").write_text(PRELUDE + opens)
    assert called(BLOCKS, tmp_path, *WATCH, "train.py").code == -signal.SIGTERM


def test_an_ignored_signal_of_children_stays_ignored(tmp_path: Path) -> None:
    ignores = "signal.signal(signal.SIGCHLD, signal.SIG_IGN)"
    source = PRELUDE + "import signal; print(signal.getsignal(signal.SIGCHLD).name)"
    assert compared(ignores, source, tmp_path) == "SIG_IGN\n"


def test_the_environment_has_no_more_variables(tmp_path: Path) -> None:
    """The launcher that installers write for a folder with a space is a shell's script, and a shell may add some."""
    folder = os.environ.get("PYTHONPATH")
    kept = {"HOME": str(tmp_path), "LC_ALL": "C.UTF-8", **({"PYTHONPATH": folder} if folder else {})}
    source = PRELUDE + "import os; print(sorted(os.environ))"
    assert compared(f"os.environ.clear(); os.environ.update({kept})", source, tmp_path) == f"{sorted(kept)}\n"
