"""The tutorial, done exactly as it is written. `SNAPSHOTS=write` puts into it what is printed."""

import os
import shutil
from pathlib import Path

import pytest
import tutorial

GUIDE = Path(__file__).parents[2] / "docs" / "guide"
PAGE = GUIDE / "tutorial.md"
WRITES = os.environ.get("SNAPSHOTS") == "write"


@pytest.mark.slow
def test_the_tutorial_shows_what_its_commands_print(tmp_path: Path) -> None:
    from mlxprobe.supervisor.interpreter import describe

    if describe().device != "cpu":
        pytest.skip("the tutorial is printed on a CPU: a GPU is through with the stall too soon")
    script = Path(shutil.copy(GUIDE / "tutorial" / "train.py", tmp_path))
    page, written, end = PAGE.read_text(), "", 0
    for block in tutorial.blocks(page):
        text = block.text
        if block.kind == "diff":
            script.write_text(tutorial.apply(block.text, script.read_text()))
        else:
            told = tutorial.printed(block, tmp_path)
            text = f"{block.text.splitlines()[0]}\n{told.strip(chr(10))}\n"
            assert WRITES or block.comparable(told) == block.comparable(block.shown), told
        written += page[end : block.start] + text
        end = block.start + len(block.text)
    if WRITES:
        PAGE.write_text(written + page[end:])


def test_what_varies_is_left_out_and_nothing_else() -> None:
    page = "<!-- varies: [\\d.]+ ms -->\n```console\n$ mlxprobe watch train.py\n3 steps, 1.5 ms\n  a step\n```\n"
    (block,) = tutorial.blocks(page)
    assert block.command == ["mlxprobe", "watch", "train.py"]
    assert block.comparable(block.shown) == block.comparable("3 steps, 20 ms a step\n")
    assert block.comparable(block.shown) != block.comparable("4 steps, 1.5 ms a step\n")


def test_a_difference_has_to_fit_one_place() -> None:
    assert tutorial.apply(" a\n-b\n+c\n", "a\nb\nd\n") == "a\nc\nd\n"
    with pytest.raises(AssertionError):
        tutorial.apply(" a\n-x\n", "a\nb\n")
