"""Threads: a deadlock names the other threads in the user's own lines, and pages date the arrays of one thread."""

import re
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from making import seen

from mlxprobe.diagnosis import RULES, diagnose
from mlxprobe.diagnosis.errors import KNOWN
from mlxprobe.protocol.fact import Fact
from mlxprobe.protocol.facts.processes import ChildEnded, Forked
from mlxprobe.schema.enums import HangKind, Whose
from mlxprobe.schema.observation import Frame, Sighting, Silence, Stack

ROOT = Path(__file__).parents[2]


def own(line: int) -> Frame:
    return Frame(file="/home/train.py", line=line, function="f", code="with lock:")


def test_the_thread_that_has_come_furthest_is_named_first() -> None:
    library = Frame(file="queue.py", line=1, function="get", whose=Whose.LIBRARY)
    threads = ((own(20),), (own(15), own(26)), (library, own(3)), (library, own(37)))
    stacks = tuple(Stack(pid=1, thread=str(k), frames=frames) for k, frames in enumerate(threads))
    silence = Silence(silent_s=6.0, cpu_s=0.0, kind=HangKind.DEADLOCK, stacks=stacks)
    (one,) = [one for one in diagnose(seen(silence=silence, ended="stalled")) if one.code == "MP603"]
    assert one.line == 37
    places = [part.rpartition("another thread is at ")[2] for part in one.message.split("; ")[1:]]
    assert places == ["train.py:15 (with lock:)", "train.py:20 (with lock:)"]


def paragraphs() -> Iterator[str]:
    """List the paragraphs that date the error of a stream of another thread, from everything that a user reads."""
    meanings = [f"There is no Stream: {one.means}" for one in KNOWN if "There is no Stream" in one.pattern]
    assert len(meanings) == 1
    pages = [rule.page for rule in RULES.values()]
    files = [one for folder in ("docs", "scenarios") for one in sorted((ROOT / folder).rglob("*.[mp][dy]"))]
    texts = [*meanings, *pages, *(one.read_text() for one in (ROOT / "README.md", *files))]
    for text in texts:
        for paragraph in re.split(r"\n\s*\n|(?<=\.)\n(?=\w+: )", text):
            if "There is no Stream" in paragraph and re.search(r"\b0\.3\d\.\d", paragraph):
                yield " ".join(paragraph.split())


def test_arrays_belong_to_threads_from_0_31_2_on_metal_and_from_0_32_0_on_the_cpu() -> None:
    told = list(paragraphs())
    assert len(told) == 4
    right = re.compile(r"(?i)on Metal (from|since)( MLX)? 0\.31\.2(,| and) on the CPU (from|since)( MLX)? 0\.32\.0")
    assert [one for one in told if not right.search(one)] == []


@pytest.mark.parametrize(
    ("pid", "status", "found"), [(7, -signal.SIGSEGV, True), (7, -signal.SIGKILL, False), (8, -signal.SIGSEGV, False)]
)
def test_a_fork_that_crashes_before_it_evaluates_is_told_by_its_end(pid: int, status: int, found: bool) -> None:
    forked = Sighting[Fact](fact=Forked(evaluations=1, pid=7), file="train.py", line=4)
    given = seen(sightings=(forked, Sighting[Fact](fact=ChildEnded(pid=pid, status=status))))
    told = [one for one in diagnose(given) if one.code == "MP601"]
    assert [(one.file, one.line, "1 evaluation on a GPU" in one.message) for one in told] == [
        ("train.py", 4, True)
    ] * found
