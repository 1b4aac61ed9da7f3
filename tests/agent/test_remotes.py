"""Ranks that a launcher starts elsewhere, by the words that it starts them with."""

from __future__ import annotations

import shlex
from typing import Any

import pytest

from mlxprobe.agent.lifecycle.child_exits import remote
from mlxprobe.protocol.facts.processes import RemoteRank

SCRIPT = "stty -echo; cd /a; export MLX_RANK=3; cmd=(python 'train it.py' --fast); exec \"${cmd[@]}\""
LINE = f"ssh -tt -o LogLevel=QUIET studio2 {shlex.quote(SCRIPT)}"
FOUND = RemoteRank(host="studio2", rank=3, command="python 'train it.py' --fast")
STARTED: list[tuple[str, Any, RemoteRank | None]] = [
    ("a shell's line, as mlx.launch has it", LINE, FOUND),
    ("a list of words", ["ssh", "studio2", SCRIPT], FOUND),
    ("without a command", "ssh studio2 'MLX_RANK=1 ./start'", RemoteRank(host="studio2", rank=1, command="")),
    ("a rank here", SCRIPT, None),
    ("ssh for something else", "ssh studio2 ls", None),
    ("no words at all", None, None),
    ("bytes", [b"ssh", b"studio2"], None),
]


@pytest.mark.parametrize(("args", "right"), [row[1:] for row in STARTED], ids=[row[0] for row in STARTED])
def test_a_rank_elsewhere_is_known(args: Any, right: RemoteRank | None) -> None:
    assert remote(args) == right
