"""Do what a page of the guide says, block by block, and compare what it shows with what is printed.

A `console` block is run, a `diff` block is applied to the script. `<!-- varies: REGEX -->` names what differs from run
to run in the console block below it and in all after it: what matches is left out on both sides, and so are the folds.
`<!-- stdout alone -->` leaves out progress, which a terminal does not keep. What is told live is left out everywhere: a
program that is through soon is told nothing.
"""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from watching import GUARD_S

GUIDE = Path(__file__).parents[1] / "docs" / "guide"
LIVE = "mlxprobe: "  # how a line begins that is told while the program runs
BLOCK = re.compile(r"((?:<!--[^\n]*-->\n)*)^```(console|diff)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
VARIES = re.compile(r"<!-- varies: (.*) -->")


@dataclass(frozen=True)
class Block:
    """A block of the page: `text` is all of it, `start` where its text begins on the page."""

    kind: str
    text: str
    start: int
    varies: str = ""
    stdout_alone: bool = False

    @property
    def command(self) -> list[str]:
        """The words after the prompt."""
        return shlex.split(self.text.splitlines()[0].removeprefix("$ "))

    @property
    def shown(self) -> str:
        """What the page says is printed."""
        return self.text.partition("\n")[2]

    def comparable(self, printed: str) -> str:
        """Return a text without what varies, and without its folds."""
        folded = " ".join(printed.split())
        return re.sub(self.varies, "…", folded) if self.varies else folded


def written(page: str, kind: str) -> list[str]:
    """Return the blocks of one kind on a page of the guide."""
    return re.findall(rf"^```{kind}\n(.*?)^```$", (GUIDE / page).read_text(), re.MULTILINE | re.DOTALL)


def blocks(page: str) -> Iterator[Block]:
    """Read a page's blocks in order."""
    varies = ""
    for found in BLOCK.finditer(page):
        if told := VARIES.search(found[1]):
            varies = told[1]
        yield Block(
            kind=found[2],
            text=found[3],
            start=found.start(3),
            varies=varies if found[2] == "console" else "",
            stdout_alone="<!-- stdout alone -->" in found[1],
        )


def printed(block: Block, folder: Path) -> str:
    """Run a block's command in a folder, with this interpreter's mlxprobe."""
    program, *words = block.command
    assert program == "mlxprobe", block.command
    own = {name: value for name, value in os.environ.items() if not name.startswith(("PYTEST", "MLXPROBE", "FORCE_"))}
    done = subprocess.run(
        [sys.executable, "-m", "mlxprobe", *words], cwd=folder, env=own, text=True, timeout=GUARD_S, check=False,
        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL if block.stdout_alone else subprocess.STDOUT,
    )  # fmt: skip
    return "".join(line for line in done.stdout.splitlines(keepends=True) if not line.startswith(LIVE))


def apply(difference: str, text: str) -> str:
    """Apply a difference, which has to fit one place."""
    lines = difference.splitlines()
    before = "\n".join(line[1:] for line in lines if line[:1] in " -")
    after = "\n".join(line[1:] for line in lines if line[:1] in " +")
    assert text.count(before) == 1, difference
    return text.replace(before, after)
