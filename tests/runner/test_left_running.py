"""`mlxprobe watch` ends what it was asked to end: what a program leaves running lives on, as it does unwatched."""

import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest
from running import MLXPROBE, PRELUDE, own_environment, run, watch
from watching import GUARD_S

pytestmark = pytest.mark.slow
WITHIN_S = 60.0
NOTE = """
import os, signal, subprocess, sys, time
def note(pid):
    with open("pids", "a") as file: file.write(f"{pid}\\n")
"""
UPLOAD = "note(subprocess.Popen([sys.executable, '-c', UPLOADS], start_new_session=True).pid)"
UPLOADS = """
UPLOADS = '''
import time
time.sleep(1)
open("uploaded", "w").write("all")
time.sleep(600)
'''
"""
DAEMON = """
sys.stdout.flush()
if os.fork() == 0:
    os.setsid()
    if os.fork():
        os._exit(0)
    note(os.getpid())
    time.sleep(1)
    open("uploaded", "w").write("all")
    time.sleep(600)
time.sleep(0.5)
"""
IN_GROUP = "note(subprocess.Popen([sys.executable, '-c', UPLOADS]).pid)"
TRAINS_ON = """
sys.stdout.flush()
if os.fork() == 0:
    note(os.getpid())
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    time.sleep(1)
    import mlx.core as mx
    for k in range(300):
        (mx.ones(3) + k).tolist()
    open("uploaded", "w").write("all")
    time.sleep(600)
time.sleep(0.5)
"""
LEAVES = {
    "a detached upload": PRELUDE + NOTE + UPLOADS + UPLOAD,
    "a child in its own group": PRELUDE + NOTE + UPLOADS + IN_GROUP,
    "a daemon that forks twice": PRELUDE + NOTE + DAEMON,
    "a daemon of a program without MLX": NOTE + DAEMON,
    "a fork that computes with MLX": NOTE + TRAINS_ON,
}


def living(folder: Path) -> list[psutil.Process]:
    file = folder / "pids"
    pids = map(int, file.read_text().split()) if file.exists() else ()
    found = (psutil.Process(pid) for pid in pids if psutil.pid_exists(pid))
    return [one for one in found if one.status() != psutil.STATUS_ZOMBIE]


@pytest.mark.parametrize("name", LEAVES)
def test_what_a_program_leaves_running_lives_on_and_is_named(name: str, tmp_path: Path) -> None:
    (tmp_path / "train.py").write_text(LEAVES[name] + "\nprint('end', flush=True)\n")
    order = [*MLXPROBE, "watch", "--output", "report.json", "--", sys.executable, "train.py"]
    with (tmp_path / "out").open("w") as out, (tmp_path / "err").open("w") as err:  # what is left holds them open
        watched = subprocess.Popen(order, cwd=tmp_path, stdout=out, stderr=err, env=own_environment())
    try:
        assert watched.wait(GUARD_S) in (0, 2)
        (left,) = living(tmp_path)
        deadline = time.monotonic() + WITHIN_S
        while not (tmp_path / "uploaded").exists() and time.monotonic() < deadline:
            time.sleep(0.05)
        assert (tmp_path / "uploaded").exists()
        assert left.is_running()
        assert f"running: {left.pid} (" in " ".join((tmp_path / "err").read_text().split())
    finally:
        for one in living(tmp_path):
            one.send_signal(signal.SIGKILL)


SHARED = """
import multiprocessing, os, signal, sys
from multiprocessing import shared_memory
{mlx}
if __name__ == "__main__":
    multiprocessing.get_context("spawn").Lock()
    held = shared_memory.SharedMemory(create=True, size=4096)
    print(held.name, flush=True)
    {ending}
"""
ENDINGS = {"an end": "held.close()", "os._exit": "os._exit(0)", "SIGKILL": "os.kill(os.getpid(), signal.SIGKILL)"}


@pytest.mark.parametrize("mlx", ["", PRELUDE], ids=["without MLX", "with MLX"])
@pytest.mark.parametrize("ending", ENDINGS)
def test_shared_memory_is_as_after_a_run_unwatched(ending: str, mlx: str, tmp_path: Path) -> None:
    (tmp_path / "train.py").write_text(SHARED.format(mlx=mlx, ending=ENDINGS[ending]))
    left = []
    for order in ([sys.executable], [*MLXPROBE, "watch", "--"]):
        ran = run([*order, *([] if order[-1] == sys.executable else [sys.executable]), "train.py"], tmp_path)
        name = ran.out.split()[-1]
        deadline = time.monotonic() + 5
        while Path("/dev/shm", name).exists() and time.monotonic() < deadline:
            time.sleep(0.05)
        left.append(Path("/dev/shm", name).exists())
    assert left == [False, False]


def test_shared_memory_of_a_program_that_is_ended_is_freed(tmp_path: Path) -> None:
    source = SHARED.format(
        mlx=PRELUDE, ending="signal.signal(signal.SIGTERM, signal.SIG_IGN); import time; time.sleep(600)"
    )
    (tmp_path / "train.py").write_text(source)
    ran = watch(tmp_path, "--timeout", "3", "--", sys.executable, "train.py")
    assert not Path("/dev/shm", ran.out.split()[-1]).exists()
