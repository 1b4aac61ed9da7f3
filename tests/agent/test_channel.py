"""The agent's channel: lines that fit, pipes that are full, descriptors that are gone."""

from __future__ import annotations

import json
import math
import os
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from mlxprobe.agent.wire import channel
from mlxprobe.agent.wire.channel import ROOM_WITHIN_S, Channel, open_channel
from mlxprobe.agent.wire.constants import FD_VARIABLE, LINE_BYTES


class Pipe:
    """A channel and the other end of its pipe."""

    def __init__(self) -> None:
        self.reading, self.writing = os.pipe()
        os.set_blocking(self.reading, False)
        self.channel = Channel(self.writing)

    def lines(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.text().splitlines()]

    def text(self) -> bytes:
        try:
            return os.read(self.reading, 1 << 20)
        except BlockingIOError:
            return b""

    def fill(self) -> None:
        try:
            while True:
                os.write(self.writing, b"x" * 4095 + b"\n")
        except BlockingIOError:
            return


@pytest.fixture
def pipe() -> Iterator[Pipe]:
    made = Pipe()
    yield made
    for fd in (made.reading, made.writing):
        try:
            os.close(fd)
        except OSError:  # the test did
            continue


def test_an_event_is_one_line_with_its_time(pipe: Pipe) -> None:
    before = time.monotonic()
    pipe.channel.send("step", n=3)
    (line,) = pipe.lines()
    assert (line["e"], line["n"]) == ("step", 3)
    assert before <= line["t"] <= time.monotonic()
    assert "pid" not in line


TEXTS = [
    ("in a script of many bytes", "学习率不能为负数" * 100),
    ("with every character escaped", "\x00\n" * 300),
    ("with a file name that is no text", "\udc80" * 600),
    ("with emoji", "🙂" * 600),
]


@pytest.mark.parametrize("text", [case[1] for case in TEXTS], ids=[case[0] for case in TEXTS])
def test_an_exception_arrives(text: str, pipe: Pipe) -> None:
    pipe.channel.send("raised", type="ValueError", message=text, file="train.py", line=9, traceback=text * 2)
    raw = pipe.text()
    line = json.loads(raw)
    assert len(raw) <= LINE_BYTES
    assert (line["e"], line["type"], line["file"], line["line"]) == ("raised", "ValueError", "train.py", 9)


def test_numbers_that_json_has_not_are_told_in_words(pipe: Pipe) -> None:
    pipe.channel.send("fact", fields={"scale": math.nan, "values": (1.5, -math.inf), "place": ("a.py", 3)})
    (line,) = (msgspec.json.decode(one) for one in pipe.text().splitlines())  # which takes no NaN, as Python's own does
    assert line["fields"] == {"scale": "nan", "values": [1.5, "-inf"], "place": ["a.py", 3]}


@pytest.mark.parametrize("event", ["tick", "steps", "memory"])
def test_a_full_pipe_holds_up_no_frequent_event(event: str, pipe: Pipe, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(channel, "_wait_for_room", lambda *_: pytest.fail("waited"))
    pipe.fill()
    pipe.channel.send(event)


def test_the_end_waits_for_room(pipe: Pipe) -> None:
    pipe.fill()
    writer = threading.Thread(target=pipe.channel.send, args=("end",))
    writer.start()
    heard = b""
    while writer.is_alive() or b'"end"' not in heard:
        heard = heard[-100:] + pipe.text()
    assert json.loads(heard.splitlines()[-1])["e"] == "end"


@pytest.mark.slow
def test_the_end_does_not_wait_for_ever(pipe: Pipe) -> None:
    pipe.fill()
    before_s = time.monotonic()
    pipe.channel.send("end")
    assert time.monotonic() - before_s >= ROOM_WITHIN_S


def test_a_supervisor_that_is_gone_is_not_the_programs_problem(pipe: Pipe) -> None:
    os.close(pipe.reading)
    pipe.channel.send("end")


def test_nothing_is_written_into_a_file_that_got_our_number(pipe: Pipe, tmp_path: Path) -> None:
    """A program that closes every descriptor, as daemons do, and then opens its own."""
    os.close(pipe.writing)
    pipe.channel.send("tick")
    theirs = os.open(tmp_path / "weights", os.O_CREAT | os.O_WRONLY)
    os.dup2(theirs, pipe.writing)
    pipe.channel.send("tick")
    pipe.channel.send("end")
    os.close(theirs)
    assert (tmp_path / "weights").read_bytes() == b""


def test_a_fork_that_moves_speaks_for_itself(pipe: Pipe) -> None:
    told: list[object] = []
    child = os.fork()
    if child == 0:
        pipe.channel.settles = lambda: told.append(pipe.channel.send("process"))
        for event in ("ready", "memory", "end", "tick", "end"):  # before it moves, its end is no end of its parent
            pipe.channel.send(event)
        os._exit(0)
    os.waitpid(child, 0)
    told = [(one["e"], one.get("p", 0)) for one in pipe.lines()]
    assert told == [("ready", 0), ("process", child), ("tick", child), ("end", child)]


def test_the_descriptor_is_not_passed_on(pipe: Pipe, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(FD_VARIABLE, str(pipe.writing))
    os.set_inheritable(pipe.writing, True)
    assert open_channel() is not None
    assert FD_VARIABLE not in os.environ
    assert not os.get_inheritable(pipe.writing)


def test_without_a_supervisor_there_is_no_channel(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(FD_VARIABLE, raising=False)
    assert open_channel() is None
