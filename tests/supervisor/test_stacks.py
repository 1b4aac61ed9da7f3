"""Stacks as faulthandler writes them, read from its text; and who is asked for them."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from mlxprobe.agent.introspection.code_ownership import AGENT, Roots
from mlxprobe.agent.lifecycle import sampler
from mlxprobe.agent.wire.constants import STACKS_FILE
from mlxprobe.supervisor.stacks import Stacks, parse
from mlxprobe.system import LINUX

OURS = f"""Thread 0x00007f01 (most recent call first):
  File "/usr/lib/python3.11/threading.py", line 331 in wait
  File "{sampler.__file__}", line 20 in sample
  File "/usr/lib/python3.11/threading.py", line 982 in run
"""
MAIN = f"""Current thread 0x00007f02 (most recent call first):
  File "/home/me/train.py", line 42 in step
  File "/home/me/train.py", line 60 in <module>
  File "{AGENT}/start.py", line 114 in _run
  File "{AGENT}/__main__.py", line 33 in <module>
"""
TRAIN = [("/home/me/train.py", 42, "step"), ("/home/me/train.py", 60, "<module>")]
TEXTS = [
    ("the agent's own frames are left out", MAIN, [("0x00007f02", TRAIN)]),
    ("the agent's own thread is left out", OURS + "\n" + MAIN, [("0x00007f02", TRAIN)]),
    ("a thread's name is preferred to its number", MAIN.replace("02 (", "02 [loader] ("), [("loader", TRAIN)]),
    ("other threads than the current are told apart", MAIN.replace("Current t", "T"), [("0x00007f02", TRAIN)]),
    ("a thread without Python frames is none", "Thread 0x0a (most recent call first):\n  <no Python frame>\n", []),
    ("C frames are no frames", MAIN + '\nCurrent thread\'s C stack trace (most recent call first):\n'
     '  Binary file "/lib/libc.so.6", at pause+0x1a [0x7f00]\n', [("0x00007f02", TRAIN)]),
    ("a report cut short gives what it has", MAIN[: MAIN.index("line 60")], [("0x00007f02", TRAIN[:1])]),
    ("a hundred threads more are not told", MAIN + "...\n", [("0x00007f02", TRAIN)]),
    ("letters that are not ASCII are put back",
     MAIN.replace("/home/me/train.py", "/home/m\\xfc \\u4e2d/\\U0001f600.py").replace("in step", "in gr\\xf6\\xdfer"),
     [("0x00007f02", [("/home/mü 中/😀.py", 42, "größer"), ("/home/mü 中/😀.py", 60, "<module>")])]),
    ("what is no text stays escaped", MAIN.replace("me/train", "\\udcff/train"),
     [("0x00007f02", [(r"/home/\udcff/train.py", line, function) for _, line, function in TRAIN])]),
    ("nothing gives nothing", "", []),
]  # fmt: skip


@pytest.mark.parametrize(("text", "wanted"), [case[1:] for case in TEXTS], ids=[case[0] for case in TEXTS])
def test_a_report_is_read(text: str, wanted: list[tuple[str, list[tuple[str, int, str]]]]) -> None:
    found = parse(text, pid=7, roots=Roots())
    assert {stack.pid for stack in found} <= {7}
    assert [
        (stack.thread, [(frame.file, frame.line, frame.function) for frame in stack.frames]) for stack in found
    ] == wanted


def test_a_frame_has_the_text_of_its_line(tmp_path: Path) -> None:
    script = tmp_path / "train.py"
    script.write_text("import mlx\n    mx.eval(loss)  \n")
    (stack,) = parse(f'Thread 0x1 (most recent call first):\n  File "{script}", line 2 in step\n', pid=7, roots=Roots())
    assert stack.frames[0].code == "mx.eval(loss)"


def test_a_crash_is_read_from_its_own_report_not_from_an_earlier_one(tmp_path: Path) -> None:
    earlier = MAIN.replace("line 42", "line 7")
    with Stacks(tmp_path) as stacks:
        (tmp_path / STACKS_FILE).write_text(f"{earlier}\nFatal Python error: Segmentation fault\n\n{MAIN}")
        (tmp_path / STACKS_FILE).unlink()  # the program may delete its folder: what is open stays
        assert [stack.frames[0].line for stack in stacks.crash(7)] == [42]


def test_without_a_crash_there_are_no_stacks(tmp_path: Path) -> None:
    with Stacks(tmp_path) as stacks:
        (tmp_path / STACKS_FILE).write_text(MAIN)
        assert stacks.crash(7) == ()


@pytest.mark.skipif(not LINUX, reason="only Linux tells which signals a process handles")
def test_who_cannot_answer_is_not_asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """We have no handler for the signal ourselves, and the other process has ended."""
    monkeypatch.setattr(os, "kill", lambda *_: pytest.fail("was asked"))
    with subprocess.Popen(["true"]) as ended:
        ended.wait()
    with Stacks(tmp_path) as stacks:
        assert stacks.take({os.getpid(): [ended.pid]}) == ()
