"""`mlxprobe watch`: signals go where they would go without us, and the terminal is left as it was."""

import json
import os
import re
import resource
import shlex
import signal
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
from running import MLXPROBE, PRELUDE, Terminal, own_environment
from watching import GUARD_S

from mlxprobe.cli.watch import own_signals

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("default_signals")]

WATCH = [*MLXPROBE, "watch"]
SLEEPS = PRELUDE + "import time\nprint('ready', flush=True)\ntime.sleep(60)\n"
COUNTS = """
import collections, signal, sys, time
heard = collections.Counter()
def count(number, frame): heard[signal.Signals(number).name] += 1
for one in (signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2, signal.SIGINT, signal.SIGQUIT):
    signal.signal(one, count)
print("ready", flush=True)
deadline = time.monotonic() + 60
while not heard and time.monotonic() < deadline: time.sleep(0.01)
until = time.monotonic() + 0.6
while time.monotonic() < until: time.sleep(0.01)
print(dict(heard)); sys.exit(9)
"""
STUCK = (
    PRELUDE
    + "print('ready', flush=True)\nimport collections, itertools; collections.deque(itertools.repeat(0), maxlen=0)\n"
)
HANDED_ON = ["SIGTERM", "SIGHUP", "SIGUSR1", "SIGUSR2", "SIGINT", "SIGQUIT"]
OTHERS = ["SIGALRM", "SIGVTALRM", "SIGPROF", "SIGIO", "SIGPWR", "SIGXCPU", "SIGSTKFLT", "SIGRTMIN", "SIGRTMAX"]
ENDING = [name for name in OTHERS if hasattr(signal, name)]  # a process that does not handle them
HEARS = (
    PRELUDE
    + f"""
import collections, json, os, signal, sys, time
heard = collections.Counter()
def hear(number, frame):
    heard[signal.Signals(number).name] += 1
    if len(sys.argv) > 1: print(signal.Signals(number).name, flush=True)
names = {ENDING!r}
for name in names: signal.signal(getattr(signal, name), hear)
print("ready", flush=True)
for name in names if len(sys.argv) == 1 else (): os.killpg(0, getattr(signal, name)); train(2)
deadline = time.monotonic() + 60
while len(heard) < len(names) and time.monotonic() < deadline: time.sleep(0.01)
until = time.monotonic() + 1
while time.monotonic() < until: time.sleep(0.01)
print(json.dumps(heard)); sys.exit(9)
"""
)


def started(folder: Path, source: str, *arguments: str) -> "subprocess.Popen[str]":
    (folder / "train.py").write_text(source)
    made = subprocess.Popen(
        [*WATCH, "train.py", *arguments], cwd=folder, env=own_environment(), stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True,
    )  # fmt: skip
    assert made.stdout is not None and made.stdout.readline() == "ready\n"
    return made


@pytest.mark.parametrize("name", HANDED_ON)
def test_a_signal_for_us_alone_is_handed_on(name: str, tmp_path: Path) -> None:
    watched = started(tmp_path, COUNTS)
    watched.send_signal(signal.Signals[name])
    out, err = watched.communicate(timeout=GUARD_S)
    assert (watched.returncode, out) == (9, f"{{'{name}': 1}}\n"), err


@pytest.mark.parametrize("name", ["SIGTERM", "SIGINT"])
def test_a_signal_for_the_whole_group_comes_once(name: str, tmp_path: Path) -> None:
    watched = started(tmp_path, COUNTS)
    os.killpg(watched.pid, signal.Signals[name])
    out, err = watched.communicate(timeout=GUARD_S)
    assert (watched.returncode, out) == (9, f"{{'{name}': 1}}\n"), err


def test_a_signal_that_would_end_us_is_handed_on_too(tmp_path: Path) -> None:
    watched = started(tmp_path, HEARS, "one by one")
    assert watched.stdout is not None
    for name in ENDING:
        watched.send_signal(getattr(signal, name))
        assert watched.stdout.readline() == f"{name}\n"
    out, err = watched.communicate(timeout=GUARD_S)
    assert (watched.returncode, json.loads(out)) == (9, dict.fromkeys(ENDING, 1)), err


def test_a_program_signals_its_own_group_and_is_watched_to_its_end(tmp_path: Path) -> None:
    watched = started(tmp_path, HEARS)
    out, err = watched.communicate(timeout=GUARD_S)
    assert (watched.returncode, json.loads(out)) == (9, dict.fromkeys(ENDING, 1)), err
    assert "loss" in err


def test_a_signal_of_the_group_comes_once_however_late_we_take_it_up(tmp_path: Path) -> None:
    counts = "import os, signal, time; heard = []; signal.signal(signal.SIGUSR1, lambda *_: heard.append(1))\n"
    counts += "os.killpg(0, signal.SIGUSR1); until = time.monotonic() + 5\n"
    (tmp_path / "train.py").write_text(counts + "while time.monotonic() < until: time.sleep(0.1)\nprint(len(heard))")
    late = "import time; from mlxprobe.runner.watch_session import Watch; watched = Watch._watched; "
    late += "Watch._watched = lambda *given: (time.sleep(3), watched(*given))[1]; "
    late += "from mlxprobe.cli import entry_point; entry_point()"
    done = subprocess.run(
        [sys.executable, "-c", late, "watch", "train.py"], cwd=tmp_path, env=own_environment(), capture_output=True,
        text=True, timeout=GUARD_S, check=False, start_new_session=True,
    )  # fmt: skip
    assert (done.returncode, done.stdout) == (0, "1\n"), done.stderr


@pytest.mark.parametrize(("soft_s", "used_up"), [(resource.RLIM_INFINITY, False), (10**6, False), (0, True)])
def test_our_own_limit_of_processor_time_is_not_the_programs(
    soft_s: int, used_up: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent: list[int] = []
    monkeypatch.setattr(resource, "getrlimit", lambda _: (soft_s, resource.RLIM_INFINITY))
    with own_signals(SimpleNamespace(send=sent.append)):  # type: ignore[arg-type]
        hand_on = signal.getsignal(signal.SIGXCPU)
        assert callable(hand_on)
        hand_on(signal.SIGXCPU, None)
    assert sent == ([] if used_up else [signal.SIGXCPU])


@pytest.mark.parametrize("name", ["SIGTERM", "SIGALRM"])
def test_a_program_that_a_signal_ends_ends_us_alike(name: str, tmp_path: Path) -> None:
    watched = started(tmp_path, SLEEPS)
    watched.send_signal(signal.Signals[name])
    _, err = watched.communicate(timeout=GUARD_S)
    assert watched.returncode == -signal.Signals[name]
    assert f"ended by {name}" in err


def test_what_nohup_ignores_stays_ignored(tmp_path: Path) -> None:
    (tmp_path / "train.py").write_text(PRELUDE + "import signal; print(signal.getsignal(signal.SIGHUP).name)")
    order = ["sh", "-c", 'trap "" HUP; exec "$@"', "sh", *WATCH, "train.py"]
    done = subprocess.run(
        order, cwd=tmp_path, env=own_environment(), capture_output=True, text=True, timeout=GUARD_S, check=True
    )
    assert done.stdout == "SIG_IGN\n", done.stderr


def test_ctrl_c_is_for_the_program(tmp_path: Path) -> None:
    (tmp_path / "train.py").write_text(COUNTS)
    with Terminal([*WATCH, "train.py"], tmp_path) as terminal:
        terminal.until("ready")
        terminal.write("\x03")
        terminal.until(r"\{'SIGINT': 1\}")
        assert terminal.end() == 9


def test_ctrl_c_ends_a_program_that_does_not_handle_it(tmp_path: Path) -> None:
    (tmp_path / "train.py").write_text(SLEEPS)
    with Terminal([*WATCH, "train.py"], tmp_path) as terminal:
        terminal.until("ready")
        terminal.write("\x03")
        assert terminal.end() == -signal.SIGINT
        assert re.search(r"Traceback[\s\S]*train\.py[\s\S]*KeyboardInterrupt", terminal.told)
        assert "interrupted by Ctrl-C, at step 25: no finding so far" in " ".join(terminal.told.split())


def test_ctrl_c_at_last_ends_a_program_that_is_stuck_in_native_code(tmp_path: Path) -> None:
    (tmp_path / "train.py").write_text(STUCK)
    soon = "from mlxprobe.runner import watch_session as it; it.STALL_FLOOR_S = 1.5; "
    soon += "from mlxprobe.cli import entry_point; entry_point()"
    with Terminal([sys.executable, "-c", soon, "watch", "train.py"], tmp_path) as terminal:
        terminal.until(r"(stall|unknown): nothing has moved for \d+ s at .*train.py:\d+ .*Ctrl-C")
        terminal.write("\x03")
        while not terminal.ends(0.5):  # one that comes while another waits to be heard is lost
            terminal.write("\x03")
        assert terminal.end() == 130
        assert len(re.findall("nothing has moved", terminal.told)) < 4
        assert re.search(r"hang \((stall|unknown)\): silent for .* at train\.py", terminal.told)


def test_ctrl_c_while_the_report_is_written_does_not_cost_it(tmp_path: Path) -> None:
    (tmp_path / "train.py").write_text(PRELUDE)
    late = "import os; from mlxprobe.cli import entry_point, watch_output; shown = watch_output.Report._show; "
    late += "watch_output.Report._show = lambda *given: (os.kill(os.getpid(), 2), shown(*given)); entry_point()"
    done = subprocess.run(
        [sys.executable, "-c", late, "watch", "train.py"], cwd=tmp_path, env=own_environment(), capture_output=True,
        text=True, timeout=GUARD_S, check=False,
    )  # fmt: skip
    assert done.returncode == 0 and "healthy: no finding" in done.stderr, done.stderr


def test_a_program_asks_the_terminal(tmp_path: Path) -> None:
    (tmp_path / "train.py").write_text(
        PRELUDE + "import sys; print('hello', input('name? '), sys.stdin.isatty(), sys.stdout.isatty())"
    )
    with Terminal([*WATCH, "train.py"], tmp_path) as terminal:
        terminal.until(r"name\? ")
        terminal.write("Ada\n")
        terminal.until("hello Ada True True")
        assert terminal.end() == 0


SHOWN = (
    PRELUDE + "import os, time\nprint('half', end='', flush=True)\nwhile not os.path.exists('seen'):\n"
    "    time.sleep(0.05); train(5)\nprint(' line', flush=True)"
)
SHOWS = (
    PRELUDE + "import time\nprint('half', end='', flush=True)\nfor _ in range(4): time.sleep(0.35); train(5)\n"
    "print(' line', flush=True)"
)


def screen(told: str, columns: int, rows: int) -> list[str]:  # noqa: C901 – a terminal obeys many orders
    """Return what a VT100 shows: enough of one for what we and a plain program send."""
    cells = [[" "] * columns for _ in range(rows)]
    row = column = 0
    top, bottom, kept = 0, rows - 1, (0, 0)

    def index() -> None:
        nonlocal row
        if row == bottom:
            cells[top : bottom + 1] = [*cells[top + 1 : bottom + 1], [" "] * columns]
        elif row < rows - 1:
            row += 1

    for text in re.findall(r"\x1b\[[\d;?]*[A-Za-z]|\x1b.|[\s\S]", told):
        numbers = [int(one) for one in re.findall(r"\d+", text)] if text.startswith("\x1b[") else []
        if text in ("\n", "\x1bD"):
            index()
        elif text == "\r":
            column = 0
        elif text == "\x1b7":
            kept = row, column
        elif text == "\x1b8":
            row, column = kept
        elif text.startswith("\x1b["):
            if text.endswith("r"):
                top, bottom = (numbers[0] - 1, numbers[1] - 1) if numbers else (0, rows - 1)
                row = column = 0
            elif text.endswith("H"):
                row, column = numbers[0] - 1, numbers[1] - 1
            elif text.endswith("K"):
                cells[row] = [" "] * columns
            elif text.endswith("A"):
                row = max(0, row - (numbers or [1])[0])
        elif not text.startswith("\x1b"):
            if column == columns:
                column = 0
                index()
            cells[row][column] = text
            column += 1
    return ["".join(line).rstrip() for line in cells]


ROWS = 70  # room for a report of any length, which folds in 20 columns


@pytest.mark.parametrize(("columns", "above"), [(80, 0), (20, 0), (80, 30)], ids=["wide", "20 columns", "at the foot"])
def test_the_status_line_leaves_a_clean_terminal(columns: int, above: int, tmp_path: Path) -> None:
    (tmp_path / "train.py").write_text(f"print('\\n'.join(map(str, range({above}))))\n" * bool(above) + SHOWN)
    with Terminal([*WATCH, "--output", "report.txt", "train.py"], tmp_path, columns=columns, rows=ROWS) as terminal:
        seen = terminal.until(r"mlxprobe: step \d+[^\x1b]*")
        assert len(seen[0]) < columns
        assert screen(terminal.told, columns, ROWS)[-1].startswith("mlxprobe: ")
        (tmp_path / "seen").touch()
        assert terminal.end() == 0
    shown = screen(terminal.told, columns, ROWS)
    assert "half line" in shown
    assert not any(line.startswith("mlxprobe") for line in shown)
    assert terminal.told.rindex("\x1b[r") > terminal.told.rindex(f";{ROWS - 1}r" if columns else "")


def test_the_status_line_follows_the_window(tmp_path: Path) -> None:
    (tmp_path / "train.py").write_text(SHOWN)
    with Terminal([*WATCH, "train.py"], tmp_path, rows=12) as terminal:
        terminal.until(r"\x1b\[1;11r")
        terminal.resize(60, 20)
        terminal.until(r"\x1b\[r\x1b\[12;1H\x1b\[2K[\s\S]*\x1b\[1;19r")
        terminal.until(r"\x1b\[20;1H\x1b\[2K")
        terminal.resize(60, 3)
        (tmp_path / "seen").touch()
        assert terminal.end() == 0


PLAIN = [
    ("no colours where NO_COLOR asks for none", {"NO_COLOR": "1"}, [], r"\x1b\[(\d+;)?3\dm"),
    ("no status line where none is wanted", {}, ["--no-live"], r"mlxprobe: step"),
    ("no status line in a dumb terminal", {"TERM": "dumb"}, [], r"mlxprobe: step"),
]


@pytest.mark.parametrize(("changes", "options", "absent"), [row[1:] for row in PLAIN], ids=[row[0] for row in PLAIN])
def test_there_are(changes: dict[str, str], options: list[str], absent: str, tmp_path: Path) -> None:
    (tmp_path / "train.py").write_text(SHOWS)
    with Terminal(
        ["env", *(f"{k}={v}" for k, v in changes.items()), *WATCH, *options, "train.py"], tmp_path
    ) as terminal:
        assert terminal.end() == 0
    assert "healthy" in terminal.told
    assert not re.search(absent, terminal.told)


def test_ctrl_z_stops_and_fg_goes_on(tmp_path: Path) -> None:
    (tmp_path / "train.py").write_text(SHOWN)
    with Terminal(["bash", "--norc", "--noprofile", "-i"], tmp_path, rows=12) as terminal:
        terminal.write(shlex.join([*WATCH, "train.py"]) + "\n")
        terminal.until(r"mlxprobe: step")
        terminal.write("\x1a")
        stopped = terminal.until(r"Stopped")
        assert terminal.told[: stopped.start()].rindex("\x1b[r") > terminal.told.rindex("\x1b[1;11r")
        terminal.write("fg\n")
        terminal.until(r"mlxprobe: step", start=stopped.end())
        (tmp_path / "seen").touch()
        terminal.until(r"healthy", start=stopped.end())
        terminal.write("exit\n")
        terminal.end()
