"""`mlxprobe watch` does no harm: it ends nothing unasked, ends exactly where it is asked to, and says what it knows."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import msgspec
import pytest
from running import MLXPROBE, PRELUDE, Terminal, own_environment, report_of, run, start_s, watch
from watching import until

import mlxprobe
from mlxprobe.runner import watch_session
from mlxprobe.runner.watch_session import Watch
from mlxprobe.schema import record_io
from mlxprobe.schema.enums import Outcome
from mlxprobe.schema.observation import Program
from mlxprobe.schema.record import Finding
from mlxprobe.settings.table import resolve

pytestmark = pytest.mark.slow

MODEL = PRELUDE.replace("\ntrain()\n", "\n")
COUNTED = """
import atexit, os
done = 0
def count():
    global done
    done += 1
    os.write(1, b"%d\\n" % done)
atexit.register(lambda: os.write(1, b"at exit\\n"))
"""
COMPILED = """
@mx.compile
def step(w, x):
    value, grad = mx.value_and_grad(lambda w: ((x * w - x) ** 2).mean())(w)
    return value, w - 0.1 * grad
"""
STATE = """
from functools import partial
state = [model.state, optimizer.state]
@partial(mx.compile, inputs=state, outputs=state)
def step(x, y):
    loss, grads = nn.value_and_grad(model, lambda m: ((m(x) - y) ** 2).mean())(model)
    optimizer.update(model, grads)
    return loss
"""
LOOPS = [
    ("an optimizer", "while True: train(1); count()"),
    ("a compiled step", STATE + "while True: loss = step(x, y); mx.eval(state); count()"),
    ("compiled gradients alone", COMPILED + "w = mx.array(0.5)\nwhile True: v, w = step(w, x); mx.eval(w); count()"),
    ("gradients alone", "f = mx.value_and_grad(lambda w: (w * w).sum())\nw = mx.ones(3)\n"
     "while True: v, g = f(w); w = w - 0.1 * g; mx.eval(w); count()"),
    ("a handler of everything", "while True:\n    try: train(1); count()\n    except BaseException: os.write(1, b'!')"),
]  # fmt: skip


@pytest.mark.parametrize(
    "source", [row[1] for row in LOOPS[:4] + LOOPS[5:]], ids=[row[0] for row in LOOPS[:4] + LOOPS[5:]]
)
def test_steps_are_as_many_as_were_asked_for(source: str, tmp_path: Path) -> None:
    (tmp_path / "train.py").write_text(MODEL + COUNTED + source)
    for steps in (1, 30):
        ran, row = report_of(tmp_path, "--steps", str(steps), "train.py")
        assert ran.out.split() == [str(k) for k in range(1, steps + 1)], "and nothing at its exit"
        assert (ran.code, row["steps"], row["outcome"]) == (0, steps, "pass")


def test_a_program_with_fewer_steps_ends_by_itself(tmp_path: Path) -> None:
    (tmp_path / "train.py").write_text(MODEL + COUNTED + "train(9)")
    ran, row = report_of(tmp_path, "--steps", "30", "train.py")
    assert (ran.out, row["steps"]) == ("at exit\n", 9)


HELD = "import numpy; held = numpy.ones(120_000_000, 'b'); import time; time.sleep(0.5); print('end')"


def test_memory_has_no_limit_unless_one_is_asked_for(tmp_path: Path) -> None:
    (tmp_path / "train.py").write_text(PRELUDE + HELD)
    (tmp_path / "small.py").write_text(
        "from mlxprobe.system.system import system; system.memory_bytes = lambda: 10**8\n"
        "from mlxprobe.cli import main; main()"
    )
    order = [sys.executable, "small.py", "watch", "train.py"]
    done = run(order, tmp_path)
    assert (done.code, done.out) == (0, "end\n"), done.err
    (tmp_path / "train.py").write_text(PRELUDE + HELD.replace("0.5", "9999"))
    asked = run([*order[:3], "--memory-limit", "60%", "train.py"], tmp_path)
    assert (asked.code, asked.out) == (1, ""), asked.err


def test_memory_that_runs_out_is_told_and_the_program_left_alone(tmp_path: Path) -> None:
    (tmp_path / "train.py").write_text(PRELUDE + HELD.replace("0.5", "2.5"))
    (tmp_path / "full.py").write_text(
        "from mlxprobe.runner import machine_events as s\n"
        "s.MachineEvents.__init__.__defaults__ = (lambda: 10**6, lambda: 10**8)\n"
        "from mlxprobe.cli import main; main()"
    )
    order = [sys.executable, "full.py", "watch"]
    done = run([*order, "train.py"], tmp_path)
    assert (done.code, done.out) == (0, "end\n"), done.err
    assert done.err.startswith("mlxprobe: the machine's memory is nearly used up: 1.0 MB of 100 MB left")
    assert done.err.count("it is left alone") == 1
    assert "healthy" not in done.err
    kept = run([*order, "--format", "json", "--output", "out.json", "train.py"], tmp_path)
    row = json.loads((tmp_path / "out.json").read_text())["programs"][0]
    assert [one["name"] for one in row["remarks"]] == ["memory nearly gone"]
    assert "left alone" not in kept.err and "healthy" not in kept.err


def test_the_api_sets_no_memory_limit(tmp_path: Path) -> None:
    (tmp_path / "train.py").write_text(PRELUDE)
    seen = mlxprobe.watch(tmp_path / "train.py")
    assert seen.record.limits is not None and seen.record.limits.memory_bytes == 0
    assert seen.outcome is Outcome.PASS and seen.record.program == "train.py"


def test_the_help_tells_the_commands_own_defaults(tmp_path: Path) -> None:
    said = " ".join(watch(tmp_path, "--help").out.split())
    assert "moving or not (default: none)" in said and "resident memory (default: none)" in said
    assert "without progress (default: 60s or 20 slow steps" in said
    other = " ".join(
        subprocess.run([*MLXPROBE, "run", "--help"], capture_output=True, text=True, check=True).stdout.split()
    )
    assert "moving or not (default: 60s; 240s on a GPU)" in other and "resident memory (default: 40%)" in other


TIMED = [
    ("idle", "import time\ntime.sleep(9999)", r"no progress and no CPU for the last \d+ s at train.py:18"),
    ("busy", "while True: pass", r"no progress but \d+ s of CPU for the last \d+ s at train.py:17"),
    ("moving", "while True: train(1)", r"still moving at step \d+ when its [\d.]+ s were up"),
]


@pytest.mark.parametrize(("source", "said"), [row[1:] for row in TIMED], ids=[row[0] for row in TIMED])
def test_when_the_time_is_up_a_program_is_told_as(source: str, said: str, tmp_path: Path) -> None:
    (tmp_path / "train.py").write_text(PRELUDE + "\n" + source)
    _, row = report_of(tmp_path, "--timeout", f"{4 + 2 * start_s(tmp_path):.1f}", "train.py")
    assert row["outcome"] == "slow" and re.search(said, row["reason"]), row["reason"]


WORKERS = """
import ctypes, multiprocessing, os, subprocess, sys, signal
def dies(): os.kill(os.getpid(), signal.SIGSEGV)
def lives(): pass
def fails(): sys.stderr = None; raise ValueError
def trains():
    train(3)
def run(*targets, how="spawn"):
    made = [multiprocessing.get_context(how).Process(target=one) for one in targets]
    for one in made: one.start()
    for one in made: one.join()
"""
OUTLIVES = "2.5 + 2 * (time.monotonic() - float(sys.argv[1]))"  # looks at it get rarer as it gets older
UNSEEN = [
    ("no step", "import mlx.core as mx; mx.eval(mx.ones(3))", {"no step"}, "nothing can be said of training"),
    ("a forked worker that crashes", PRELUDE + WORKERS + "run(dies, lives, how='fork')", {"child crashed"},
     "2 child processes, one ended by SIGSEGV"),
    ("a subprocess that crashes", PRELUDE + WORKERS + "subprocess.run([sys.executable, '-c', "
     "'import os; os.kill(os.getpid(), 11)'])", {"child crashed"}, "1 child process, one ended by SIGSEGV"),
    ("a fork of its own that crashes", PRELUDE + WORKERS + "pid = os.fork()\nif not pid: dies()\nos.waitpid(pid, 0)",
     {"child crashed"}, "1 child process, one ended by SIGSEGV"),
    ("a child that nobody waits for", PRELUDE + WORKERS + "pid = os.fork()\n"
     "if not pid: os.kill(os.getpid(), 9)\nos.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)",
     {"child crashed"}, "one ended by SIGKILL"),
    ("a worker that fails", PRELUDE + WORKERS + "run(fails, how='fork')", {"child crashed"}, "left with exit code 1"),
    ("workers that do well", PRELUDE + WORKERS + "run(lives, lives, how='fork'); subprocess.run(['false'])", set(), ""),
    ("a fork that trains", "import mlx.core as mx" + WORKERS + MODEL.replace("import mlx.core as mx, ", "import ")
     + "run(trains, how='fork')", set(), "healthy: no finding"),
    ("a process that outlives the look", PRELUDE + WORKERS + "import time; subprocess.run([sys.executable, '-I', '-c', "
     f"'import sys, time, mlx.core; time.sleep({OUTLIVES})', str(time.monotonic())])",
     {"another process"}, "imported MLX too, and was not watched"),
]  # fmt: skip


@pytest.mark.parametrize(("source", "names", "said"), [row[1:] for row in UNSEEN], ids=[row[0] for row in UNSEEN])
def test_what_was_not_seen_is_never_called_healthy(source: str, names: set[str], said: str, tmp_path: Path) -> None:
    guard = source.replace("\nrun(", "\nif __name__ == '__main__': run(")
    (tmp_path / "train.py").write_text(guard)
    _, row = report_of(tmp_path, "--ignore", "MP6", "train.py")
    assert {one["name"] for one in row.get("remarks", [])} == names
    text = watch(tmp_path, "--ignore", "MP6", "train.py").err
    assert ("\nhealthy: " not in text) is bool(names), text
    assert said in " ".join(text.split())


def test_the_text_comes_beside_the_file_where_stderr_is_no_terminal(tmp_path: Path) -> None:
    (tmp_path / "train.py").write_text(PRELUDE)
    ran = watch(tmp_path, "--format", "json", "--output", "out.json", "train.py")
    assert "\nhealthy: no finding\n" in ran.err and ran.out == ""
    assert json.loads((tmp_path / "out.json").read_text())["programs"][0]["findings"] is not None


FAULTY = PRELUDE.replace("SGD(0.1)", "SGD(0.0)")


def test_an_error_is_told_and_kept_while_the_program_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watch_session, "TELLS_AFTER_S", 1.0)
    (tmp_path / "train.py").write_text(FAULTY + "import time\nwhile True: train(1); time.sleep(0.01)")
    program = Program(name="train.py", command=(sys.executable, "train.py"), cwd=str(tmp_path))
    running = Watch(program, resolve({"timeout_s": "60"}, {}, tmp_path))
    told: list[Finding] = []
    kept: list[Any] = []

    def erred(found: Any, watcher: Any) -> None:
        told.extend(found)
        kept.extend(running.so_far(watcher, "running"))
        running.stop.set()

    running.erred = erred
    running.run()
    assert {one.code for one in told} == {"MP210"}
    assert kept[0].outcome is Outcome.UNJUDGED and kept[0].reason.startswith("still running, at step")
    assert "MP210" in {one.code for one in kept[0].findings}


SOON = "from mlxprobe.runner import watch_session; watch_session.TELLS_AFTER_S = 0.5; "
SOON += "from mlxprobe.cli import entry_point; entry_point()"
ERRS = (
    FAULTY
    + """
import os, sys, time
sys.stderr.write('first\\n')
deadline = time.monotonic() + 60
while not os.path.exists(sys.argv[1]) and time.monotonic() < deadline: train(1); time.sleep(0.01)
sys.stderr.write('last\\n')
"""
)
REPORTED = re.compile(r"^mlxprobe: train\.py:\d+: MP210", re.MULTILINE)


def test_the_report_comes_last_where_it_has_a_file_and_stderr_is_no_terminal(tmp_path: Path) -> None:
    (tmp_path / "train.py").write_text(ERRS)
    order = [sys.executable, "-c", SOON, "watch", "--format", "json", "--output", "out.json", "train.py", "out.json"]
    done = run(order, tmp_path)
    assert done.err.startswith("first\nlast\n") and "MP210" in done.err, done.err
    assert not REPORTED.search(done.err)


def test_our_own_failures_come_with_such_a_report(tmp_path: Path) -> None:
    (tmp_path / "train.py").write_text(PRELUDE + "import sys, time; time.sleep(1); sys.stderr.write('last\\n')")
    fails = f"from mlxprobe.cli import statusline; statusline.StatusLine.show = lambda *_: 1 / 0; {SOON}"
    done = run([sys.executable, "-c", fails, "watch", "--output", "out.txt", "train.py"], tmp_path)
    assert done.err.startswith("last\nmlxprobe: a fault of mlxprobe's own, at "), done.err
    assert done.err.count("mlxprobe's own") == 1 and "healthy: no finding" in done.err


def test_an_error_is_reported_at_once_where_the_report_has_no_file(tmp_path: Path) -> None:
    (tmp_path / "train.py").write_text(ERRS)
    order = [sys.executable, "-c", SOON, "watch", "train.py", "go"]
    with subprocess.Popen(order, cwd=tmp_path, env=own_environment(), stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None and process.stderr.readline() == "first\n"
        assert REPORTED.match(process.stderr.readline())
        (tmp_path / "go").touch()
        assert process.stderr.readline() == "last\n"
        process.stderr.read()


def test_an_error_is_reported_at_once_in_a_terminal(tmp_path: Path) -> None:
    (tmp_path / "train.py").write_text(ERRS)
    order = [sys.executable, "-c", SOON, "watch", "--no-live", "--output", "out.txt", "train.py", "go"]
    with Terminal(order, tmp_path, columns=200) as terminal:
        terminal.until("first")
        terminal.until("mlxprobe: train.py:[0-9]+: MP210")
        (tmp_path / "go").touch()
        terminal.end()


RESUMES = "import os, time\nwhile not os.path.exists('go'): time.sleep(0.01)\nwhile True: train(1); time.sleep(0.01)"


def test_who_is_interrupted_long_after_a_silence_was_not_stuck(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watch_session, "STALL_FLOOR_S", 0.5)
    (tmp_path / "train.py").write_text(PRELUDE + RESUMES)
    running = Watch(Program(name="train.py", command=(sys.executable, "train.py"), cwd=str(tmp_path)), resolve({}, {}))

    def shown(watcher: Any) -> None:
        if watcher.log.step > 40:
            running.stop.set()

    running.silent, running.shown = lambda _: (tmp_path / "go").touch(), shown
    (row,) = running.run()
    assert (tmp_path / "go").exists(), "it was told to be stuck"
    assert (row.outcome, row.reason.split(",")[0][:11]) == (Outcome.UNJUDGED, "interrupted")


def test_a_killed_watch_leaves_its_report(tmp_path: Path) -> None:
    (tmp_path / "train.py").write_text(
        PRELUDE + "import threading; threading.Lock().acquire(); l = threading.Lock(); l.acquire(); l.acquire()"
    )
    soon = "from mlxprobe.runner import watch_session as it; it.STALL_FLOOR_S = 1.0; "
    soon += "from mlxprobe.cli import main; main()"
    order = [sys.executable, "-c", soon, "watch", "--format", "json", "--output", "out.json", "train.py"]
    with subprocess.Popen(
        order, cwd=tmp_path, env=own_environment(), stderr=subprocess.PIPE, text=True, start_new_session=True
    ) as process:
        assert process.stderr is not None
        assert until((tmp_path / "out.json").exists)
        os.killpg(process.pid, signal.SIGKILL)  # the program alone would go on
        assert process.stderr.read() == ""
    record = record_io.load(tmp_path / "out.json")
    assert not record.complete
    assert record.programs[0].outcome is Outcome.HANG and record.programs[0].stacks


def test_when_the_time_is_up_of_a_program_that_is_stuck_its_deadlock_is_still_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watch_session, "STALL_FLOOR_S", 1.5)
    (tmp_path / "train.py").write_text(PRELUDE + "import queue\ntrain(3)\nqueue.Queue().get()")
    program = Program(name="train.py", command=(sys.executable, "train.py"), cwd=str(tmp_path))
    running = Watch(program, resolve({"timeout_s": "30"}, {}, tmp_path))
    running.silent = lambda watcher: setattr(watcher, "limits", msgspec.structs.replace(watcher.limits, timeout_s=0.0))
    (row,) = running.run()
    assert row.outcome is Outcome.HANG and row.reason.startswith("deadlock: "), row.reason
    assert "MP603" in {one.code for one in row.findings}
