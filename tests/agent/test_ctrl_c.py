"""A Ctrl-C that comes while our code loads is heard in the program's own lines, and shows none of ours."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from running import MLXPROBE, own_environment, run

from mlxprobe.agent.lifecycle.env_propagation import BOOTSTRAP
from mlxprobe.agent.patching import ctrl_c

SLEEPS = "import time\nfor _ in range(1000):\n    time.sleep(0.01)\n"
INTERRUPTS = """
import os, signal, sys
if sys.argv[0] == "sleeps.py":  # and not where mlxprobe imports it
    os.kill(os.getpid(), signal.SIGINT)
sys.path[:] = [one for one in sys.path if one != os.path.dirname(__file__)]
del sys.modules[__name__]
import importlib
sys.modules[__name__] = importlib.import_module(__name__)
"""


def test_while_python_starts(tmp_path: Path) -> None:
    """A pipe in the place of a file holds our code up until it is read."""
    os.mkfifo(tmp_path / "pythons")
    (tmp_path / "sleeps.py").write_text(SLEEPS)
    given = own_environment(MLXPROBE_FOLDER=str(tmp_path), PYTHONPATH=BOOTSTRAP)
    started = subprocess.Popen(
        [sys.executable, "sleeps.py"], cwd=tmp_path, env=given, stderr=subprocess.PIPE, text=True
    )
    time.sleep(0.5)  # it has come to the pipe
    started.send_signal(signal.SIGINT)
    with open(tmp_path / "pythons"):
        said = started.communicate(timeout=20)[1]
    assert started.returncode == -signal.SIGINT, said
    assert "sleeps.py" in said and "KeyboardInterrupt" in said and "mlxprobe" not in said, said


def test_while_the_agent_is_imported(tmp_path: Path) -> None:
    (tmp_path / "copy.py").write_text(INTERRUPTS)
    (tmp_path / "sleeps.py").write_text(f"import mlx.core as mx\n{SLEEPS}")
    ran = run([*MLXPROBE, "watch", "--output", "report", "sleeps.py"], tmp_path)
    assert "sleeps.py" in ran.err and "KeyboardInterrupt" in ran.err and "mlxprobe/agent" not in ran.err, ran
    assert ran.code == -signal.SIGINT, ran


def test_the_handler_and_the_threads_are_as_before() -> None:
    before, threads = signal.getsignal(signal.SIGINT), threading.active_count()
    with ctrl_c.HELD:
        with ctrl_c.HELD:
            assert signal.getsignal(signal.SIGINT) == ctrl_c.HELD._hear
        assert signal.getsignal(signal.SIGINT) == ctrl_c.HELD._hear
    assert (signal.getsignal(signal.SIGINT), threading.active_count()) == (before, threads)
    with pytest.raises(KeyError), ctrl_c.HELD:
        raise KeyError
    assert signal.getsignal(signal.SIGINT) is before


def test_the_programs_own_handler_hears_of_it_once_and_later(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ctrl_c, "OURS", "nowhere")  # these tests are run by lines of ours
    heard: list[int] = []
    kept = signal.signal(signal.SIGINT, lambda number, _: heard.append(number))
    try:
        with ctrl_c.HELD:
            os.kill(os.getpid(), signal.SIGINT)
            assert not heard
        until_s = time.monotonic() + 5
        while not heard and time.monotonic() < until_s:
            time.sleep(0.01)
        time.sleep(0.05)
    finally:
        signal.signal(signal.SIGINT, kept)
    assert heard == [signal.SIGINT]


@pytest.mark.parametrize("handler", [signal.SIG_IGN, signal.SIG_DFL])
def test_what_the_system_alone_handles_stays_so(handler: signal.Handlers) -> None:
    kept = signal.signal(signal.SIGINT, handler)
    try:
        with ctrl_c.HELD:
            assert signal.getsignal(signal.SIGINT) is handler
    finally:
        signal.signal(signal.SIGINT, kept)


def test_without_a_thread_it_is_heard_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    def none_left(*_: object) -> None:
        raise RuntimeError

    monkeypatch.setattr(ctrl_c, "start_new_thread", none_left)
    with pytest.raises(KeyboardInterrupt):
        with ctrl_c.HELD:
            os.kill(os.getpid(), signal.SIGINT)
        time.sleep(1)


def test_frames_of_ours_and_of_pythons_start_are_told_from_the_programs() -> None:
    frame = sys._getframe()
    assert ctrl_c._is_the_programs(frame)
    assert not ctrl_c._is_the_programs(None)
    for file in ("<frozen site>", "<frozen zipimport>", "/usr/lib/python3.10/site.py", f"{ctrl_c.OURS}agent/some.py"):
        outermost: Any = SimpleNamespace(f_code=SimpleNamespace(co_filename=file), f_back=None)
        assert not ctrl_c._is_the_programs(outermost), file
