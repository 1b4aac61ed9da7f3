"""The other pages of the guide: what they show is what comes out."""

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from running import own_environment
from watching import GUARD_S

from mlxprobe.supervisor.native import program

GUIDE = Path(__file__).parents[2] / "docs" / "guide"


def blocks(page: str, kind: str) -> list[str]:
    return re.findall(rf"^```{kind}\n(.*?)^```$", (GUIDE / page).read_text(), re.MULTILINE | re.DOTALL)


def essence(text: str) -> list[str]:
    """Return what of a report does not vary: the script's lines, and the verdict without its figures."""
    folded = re.sub(r"\d+\.\d+", "…", " ".join(text.split()))
    return re.findall(r"hangs\.py:\d+ in \S+ with \w+:|deadlock: .*", folded)


@pytest.mark.slow
def test_a_process_that_hangs_is_told_of_as_the_page_shows(tmp_path: Path) -> None:
    if not program():
        pytest.skip("py-spy is not installed")
    shutil.copy(GUIDE / "tutorial" / "hangs.py", tmp_path)
    words = [sys.executable, "-u", "-c", "print('up', flush=True); import runpy; runpy.run_path('hangs.py')"]
    hangs = subprocess.Popen(words, cwd=tmp_path, stdout=subprocess.PIPE)
    try:
        assert hangs.stdout is not None and hangs.stdout.readline()
        (shown,) = blocks("hangs-now.md", "console")
        order = shown.splitlines()[0].removeprefix("$ mlxprobe ").split()
        done = subprocess.run(
            [sys.executable, "-m", "mlxprobe", order[0], str(hangs.pid), "--stall-limit", "3"], cwd=tmp_path,
            env=own_environment(), capture_output=True, text=True, timeout=GUARD_S, check=False,
        )  # fmt: skip
        assert essence(done.stdout) == essence(shown) and len(essence(shown)) == 3, done.stdout
    finally:
        hangs.kill()
        hangs.communicate(timeout=GUARD_S)


def test_the_cells_on_the_page_are_those_of_the_example() -> None:
    example = json.loads((GUIDE / "notebook.ipynb").read_text())
    cells = ["".join(one["source"]) for one in example["cells"] if one["cell_type"] == "code"]
    shown = [one.rstrip("\n") for one in blocks("notebook.md", "python") if one.startswith("%")]
    assert len(shown) == 3 and set(shown) <= set(cells)
