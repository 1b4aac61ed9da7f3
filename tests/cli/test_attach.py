"""`mlxprobe attach`: real processes, idle, busy and dead, looked at from outside."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import jsonschema
import msgspec
import psutil
import pytest
from click.testing import CliRunner
from running import MLXPROBE, Ran, own_environment
from watching import GUARD_S, until

from benchmarks.attachments import started
from benchmarks.stops import left
from mlxprobe.cli import main
from mlxprobe.reports.docs.schema import told
from mlxprobe.schema.enums import HangKind
from mlxprobe.schema.live import Attached
from mlxprobe.selftest.misbehaving import MARK, TRIALS, Trial, ended
from mlxprobe.supervisor import pyspy_stacks
from mlxprobe.system import interface
from mlxprobe.system.system import system

NEEDS_SPY = pytest.mark.skipif(
    sys.platform != "linux" or not pyspy_stacks.program(), reason="py-spy is in the extra `native`"
)
WITHIN_S = 120
ATTACHMENTS = 3
READY = 'print("ready", flush=True)\n'
TRAINS = """
import mlx.core as mx, mlx.nn as nn, mlx.optimizers as optim
mx.random.seed(0)
model, optimizer = nn.Linear(4, 1), optim.SGD(0.1)
x = mx.random.normal((32, 4))
y = x.sum(1, keepdims=True)
gradients = nn.value_and_grad(model, lambda m: ((m(x) - y) ** 2).mean())
"""
LOOP = """
while True:
    loss, grads = gradients(model)
    optimizer.update(model, grads)
    mx.eval(model.parameters(), optimizer.state)
"""
PROGRAMS = {
    "a healthy loop": ("alive", TRAINS + READY + LOOP),
    "one line that trains": ("alive", TRAINS + READY + "while True: mx.eval(gradients(model))\n"),
    "sleep between steps": ("idle", TRAINS + READY + LOOP + "    import time; time.sleep(600)\n"),
    "input": ("idle", READY + "input()\n"),
    "a loader that sleeps": ("idle", """
import queue, threading, time
batches = queue.Queue()
threading.Thread(target=lambda: time.sleep(600), daemon=True).start()
""" + READY + "batches.get()\n"),
    "an event loop": ("idle", """
import asyncio
async def serve():
    server = await asyncio.start_server(print, "127.0.0.1", 0)
""" + f"    {READY}" + """    await server.serve_forever()
asyncio.run(serve())
"""),
    "a child that sleeps": ("idle", "import subprocess\n" + READY + "subprocess.run(['sleep', '600'])\n"),
    "a lock in Python": ("deadlock", "import threading\nlock = threading.Lock()\nlock.acquire()\n" + READY
                         + "lock.acquire()\n"),
    "a forked worker in MLX, beside a beating thread": ("deadlock", TRAINS + """
import os, threading, time
def beat():
    while True:
        time.sleep(0.05)
mx.eval(gradients(model))
if os.fork() == 0:
    threading.Thread(target=beat, daemon=True).start()
    mx.eval(gradients(model))
""" + READY + "os.wait()\n"),
    "the work of many steps": ("stall", TRAINS + """
import time
while time.process_time() < 8:  # to evaluate it takes longer still, however fast the machine is
    loss, grads = gradients(model)
    optimizer.update(model, grads)
""" + READY + "loss.item()\n"),
}  # fmt: skip


@contextmanager
def running(folder: Path, text: str) -> Iterator[int]:
    """Run a program, with a pipe for its input, until it has said that it is ready."""
    file = folder / "train.py"
    file.write_text(text)
    with subprocess.Popen(
        [sys.executable, str(file)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=own_environment(), cwd=folder,
        start_new_session=True,
    ) as process:  # fmt: skip
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == b"ready\n"
            yield process.pid
        finally:
            os.killpg(process.pid, 9)


def attach(pid: int, *words: str, folder: Path | None = None) -> Ran:
    done = subprocess.run(
        [*MLXPROBE, "attach", str(pid), *words], capture_output=True, text=True, timeout=WITHIN_S, check=False,
        env=own_environment(), cwd=folder,
    )  # fmt: skip
    return Ran(done.returncode, done.stdout, done.stderr)


def seen(pid: int, *words: str) -> tuple[int, dict[str, Any]]:
    ran = attach(pid, "--format", "json", *words)
    assert ran.out, ran.err
    return ran.code, json.loads(ran.out)


ASLEEP = [name for name, (wanted, _) in PROGRAMS.items() if wanted == "idle"]


@pytest.mark.slow
@NEEDS_SPY
@pytest.mark.parametrize("name", [name for name in PROGRAMS if name not in ASLEEP])
def test_a_process_is_told_for_what_it_is(name: str, tmp_path: Path) -> None:
    told_for_what_it_is(name, tmp_path)


@pytest.mark.slow
@NEEDS_SPY
def test_processes_that_wait_for_what_is_outside_are_idle(tmp_path: Path) -> None:
    all_at_once(lambda name: told_for_what_it_is(name, tmp_path), ASLEEP)


def told_for_what_it_is(name: str, parent: Path) -> None:
    wanted, text = PROGRAMS[name]
    folder = parent / name
    folder.mkdir()
    with running(folder, text) as pid:
        code, told_ = seen(pid)
        ends_s = time.monotonic() + 60 * (wanted == "stall")
        while told_["state"] == "alive" and time.monotonic() < ends_s:  # it walks the graph, and is not seen to sleep
            code, told_ = seen(pid)
        assert told_["state"] == wanted, (name, told_["reason"])
        assert code == {"deadlock": 1, "stall": 1}.get(wanted, 0)
        assert "train.py" in told_["reason"] or name == "a child that sleeps"


def all_at_once(what: Callable[[str], None], names: Sequence[str]) -> None:
    """Do something with each, for most of it is waiting."""
    with ThreadPoolExecutor(len(names)) as pool:
        list(pool.map(what, names))


HARMFUL = ("deletes_its_folder", "stops_its_reaper")  # to what is around them, and outside of a watch they do nothing
HANGING = [one for one in TRIALS if one.kind and one.name not in HARMFUL]
AS_WATCH: dict[HangKind | None, str] = {
    HangKind.DEADLOCK: "deadlock",
    HangKind.STALL: "stall",
    HangKind.UNKNOWN: "idle",
}
AT_ONCE = 4
SETTLED_S = 0.5


@pytest.mark.slow
@NEEDS_SPY
def test_a_toy_that_hangs_is_told_as_watch_tells_it_with_the_same_limit(tmp_path: Path) -> None:
    with ThreadPoolExecutor(AT_ONCE) as pool:
        told_ = list(pool.map(lambda one: told_of_toy(one, tmp_path, "--stall-limit", "1s"), HANGING))
    wrong = {one.name: seen_ for one, seen_ in zip(HANGING, told_, strict=True) if seen_[0] != AS_WATCH.get(one.kind)}
    assert not wrong


@pytest.mark.slow
@NEEDS_SPY
def test_without_a_limit_only_what_is_proved_is_a_hang_and_of_a_loop_it_is_said_that_nothing_can_be_told(
    tmp_path: Path,
) -> None:
    toys = [
        one for one in HANGING if one.kind is HangKind.STALL or one.name in ("waits", "sleeps_in_c", "hangs_at_exit")
    ]
    with ThreadPoolExecutor(AT_ONCE) as pool:
        told_ = dict(
            zip((one.name for one in toys), pool.map(lambda one: told_of_toy(one, tmp_path), toys), strict=True)
        )
    assert {name: state for name, (state, _) in told_.items()} == {
        one.name: "alive" if one.kind is HangKind.STALL else "deadlock" for one in toys
    } | {"sleeps_in_c": "idle"}, told_
    for one in toys:
        unclear = "whether that is progress is not visible from outside" in told_[one.name][1]
        assert unclear is (one.kind is HangKind.STALL), told_


def told_of_toy(child: Trial, folder: Path, *words: str) -> tuple[str, str]:
    """Attach to a hostile child that hangs, with all that it has started; return the verdict and its reason."""
    mark = uuid.uuid4().hex
    environment = own_environment() | {MARK: mark, "TMPDIR": str(folder)}
    with subprocess.Popen([sys.executable, str(child.file)], stdout=subprocess.DEVNULL, env=environment) as hung:
        try:
            assert until(lambda: _has_settled(hung.pid), WITHIN_S)
            told_ = seen(hung.pid, *words)[1]
            open_ = {"unjudged", "alive"} if words else {"unjudged"}
            for _ in range(4):  # others may have left it no processor, or us
                if told_["state"] not in open_ and "next to no processor" not in told_["reason"]:
                    break
                told_ = seen(hung.pid, *words)[1]
            assert not any(one.tracer for one in system.threads([hung.pid]))  # it was let go
        finally:
            hung.kill()
            list(ended(mark))
    return told_["state"], told_["reason"]


def _has_settled(pid: int) -> bool:
    """Tell whether a program has computed for longer than its start takes, or has come to rest since."""
    used_s = sum(one.used_ns for one in system.times(pid).values()) / 1e9
    at_rest = not any(one.state in interface.READY for one in system.threads([pid]))
    return used_s > SETTLED_S or (at_rest and time.time() - psutil.Process(pid).create_time() > 4 * SETTLED_S)


@pytest.mark.slow
@NEEDS_SPY
def test_the_forms_tell_the_same(tmp_path: Path) -> None:
    with running(tmp_path, PROGRAMS["a lock in Python"][1]) as pid:
        text = attach(pid, folder=tmp_path)
        assert text.code == 1
        assert f"process {pid}" in text.out
        assert "train.py:5 in <module>: lock.acquire()" in text.out
        assert "deadlock: its thread sleeps" in text.out
        page = attach(pid, "--format", "markdown", "--output", str(tmp_path / "page.md"))
        assert "deadlock" in page.out
        assert (tmp_path / "page.md").read_text().startswith(f"# Process {pid}: deadlock")
        jsonschema.Draft202012Validator(told(msgspec.json.schema(Attached))).validate(seen(pid)[1])


@pytest.mark.slow
@NEEDS_SPY
def test_losses_stay_equal_in_every_bit_however_often_a_training_is_attached_to(tmp_path: Path) -> None:
    with started(tmp_path) as watched:
        states = [told_["state"] for _ in range(ATTACHMENTS) if (told_ := seen(watched.pid)[1])]
        (tmp_path / "STOP").touch()
        steps, losses, _ = watched.communicate(timeout=GUARD_S)[0].split()
    assert "alive" in states
    assert not {"deadlock", "stall"} & set(states)
    with started(tmp_path, steps) as alone:
        assert alone.communicate(timeout=GUARD_S)[0].split()[:2] == [steps, losses]


@pytest.mark.slow
@NEEDS_SPY
def test_nobody_stops_what_is_attached_to(tmp_path: Path) -> None:
    with running(tmp_path, READY + "while True:\n    pass\n") as pid:
        before = left(pid)
        assert seen(pid)[1]["state"] == "alive"
        assert left(pid) == before
        subprocess.run([pyspy_stacks.program(), "dump", "--pid", str(pid)], capture_output=True, check=True)
        assert left(pid) == before + 1  # whoever stops it is counted


@pytest.mark.slow
def test_without_py_spy_one_sentence_says_what_is_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("stack_sampling", "pyspy_stacks", "attach"):
        monkeypatch.setattr(f"mlxprobe.supervisor.{name}.program", lambda: "")
    with running(tmp_path, PROGRAMS["a lock in Python"][1]) as pid:
        result = CliRunner().invoke(main, ["attach", str(pid)])
        assert result.exit_code == 2
        assert "pip install 'mlxprobe[native]'" in " ".join(result.output.split())
        assert "asleep" in result.output or sys.platform != "linux"


def test_a_process_that_is_not_there_is_wrong_usage() -> None:
    result = CliRunner().invoke(main, ["attach", "99999999"])
    assert result.exit_code == 2
    assert "99999999: there is no such process" in result.output


def test_a_process_that_has_ended_is_wrong_usage_though_its_parent_has_not_asked_how() -> None:
    ended = subprocess.Popen(["true"])
    os.waitid(os.P_PID, ended.pid, os.WEXITED | os.WNOWAIT)
    result = CliRunner().invoke(main, ["attach", str(ended.pid)])
    ended.wait()
    assert result.exit_code == 2
    assert f"{ended.pid}: this process has ended" in result.output


@pytest.mark.parametrize("pid", [2**31, 10**20 - 1])
def test_a_number_that_no_process_has_is_told(pid: int) -> None:
    done = CliRunner().invoke(main, ["attach", str(pid)])
    assert done.exit_code == 2
    assert done.output == f"mlxprobe: {pid}: there is no such process; `ps -e` lists all\n"
