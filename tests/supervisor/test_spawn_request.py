"""A reaper's order arrives as it was given, and nothing is taken of what follows it."""

import os
import socket
import threading

import pytest

from mlxprobe.supervisor.spawn_request import order, ordered

ODD = ["", "a b", "line\nline", os.fsdecode(b"\xff\xfe"), "=", "päth"]


@pytest.mark.parametrize("words", [[], ODD, ["x" * 3_000_000]], ids=["none", "odd ones", "more than a socket holds"])
def test_an_order_comes_whole(words: list[str]) -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        text = order(("/folder", "own"), words, ["A=1=2", "B="], [], ["7"]) + b"kill\n"
        sender = threading.Thread(target=ours.sendall, args=(text,))
        sender.start()
        assert ordered(theirs.fileno()) == [["/folder", "own"], words, ["A=1=2", "B="], [], ["7"]]
        sender.join()
        assert theirs.recv(100) == b"kill\n"


@pytest.mark.parametrize("begun", [b"", b"    ", b"        99abc"])
def test_a_supervisor_that_is_gone_orders_nothing(begun: bytes) -> None:
    ours, theirs = socket.socketpair()
    with theirs:
        with ours:
            ours.sendall(begun)
        assert ordered(theirs.fileno()) == []


def test_a_null_byte_is_refused() -> None:
    with pytest.raises(ValueError, match="null"):
        order(("a", "b\0c"))
