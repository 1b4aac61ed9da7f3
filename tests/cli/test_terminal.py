"""What a person, a pipe and a CI's log get to see, against stored texts: `SNAPSHOTS=write` stores them anew."""

import os
import re
import sys
from pathlib import Path

import pytest
from running import Terminal, run
from scenes import MARK, SCENES

HERE = Path(__file__).parents[1]
SNAPSHOTS = HERE / "snapshots"
WRITES = os.environ.get("SNAPSHOTS") == "write"
COMMAND = [sys.executable, str(HERE / "scenes.py")]
LIVE = re.compile(r"\x1b\[(\d*[ABCDEFGHJKST]|\d+(;\d+)?[Hr]|\?\d+[hl])")  # moves, erasures, hidden cursors
PASSING = re.compile(r"\x1b\[\?25l.*?\x1b\[\?25h(\r(\x1b\[1A\x1b\[2K)*)?", re.DOTALL)  # live lines, wiped at their end
WAYS = {
    "terminal": {"NO_COLOR": "1"},
    "colour": {"FORCE_COLOR": "1", "TERM": "xterm-256color"},
    "pipe": {},
    "ci": {"GITHUB_ACTIONS": "true", "CI": "true"},
}
PURE = {"PYTHONIOENCODING": "utf-8", "LANG": "C.UTF-8"}


def told(way: str) -> list[str]:
    """Return what each scene shows."""
    if way != "terminal":
        merged = ["sh", "-c", 'exec "$@" 2>&1', "sh", *COMMAND]  # as a log has them
        ran = run(merged, HERE, **PURE, **WAYS[way])
        assert ran.code == 0, ran.out
        return ran.out.split(MARK)[:-1]
    with Terminal(COMMAND, HERE, 80, 24, **PURE, **WAYS[way]) as terminal:
        assert terminal.end() == 0, terminal.told
        return re.sub(PASSING, "", terminal.told.replace("\r\n", "\n")).split(MARK)[:-1]


@pytest.fixture(scope="module", params=WAYS)
def way(request: pytest.FixtureRequest) -> tuple[str, dict[str, str]]:
    shown = told(request.param)
    assert len(shown) == len(SCENES)
    return request.param, dict(zip(SCENES, shown, strict=True))


@pytest.mark.slow
@pytest.mark.parametrize("scene", SCENES)
def test_it_is_shown_as_it_was(way: tuple[str, dict[str, str]], scene: str) -> None:
    name, shown = way
    stored = SNAPSHOTS / f"{scene}-{name}.txt"
    if WRITES:
        stored.write_text(shown[scene])
    assert shown[scene] == stored.read_text()


@pytest.mark.slow
def test_it_reads_well(way: tuple[str, dict[str, str]]) -> None:
    name, shown = way
    everything = "".join(shown.values())
    assert [line for line in everything.splitlines() if line != line.rstrip()] == []
    assert not LIVE.search(everything)
    if name == "colour":
        assert "\x1b[1;31m" in everything
    else:
        assert not re.search(r"\x1b\[[0-9;]*3\dm", everything)
    if name in ("pipe", "ci"):
        assert "\x1b" not in everything
    if name == "terminal":
        shown |= {"matrix": shown["matrix"].partition("\n\n")[0]}  # its notes are a line each
        lines = re.sub(r"\x1b\[[0-9;]*m", "", "".join(shown.values())).splitlines()
        assert [line for line in lines if len(line) > 80] == []


def test_a_ci_log_is_a_pipe() -> None:
    for scene in SCENES:
        assert (SNAPSHOTS / f"{scene}-ci.txt").read_text() == (SNAPSHOTS / f"{scene}-pipe.txt").read_text()
