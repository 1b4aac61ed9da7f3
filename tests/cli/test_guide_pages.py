"""The other pages of the guide: what they show is what comes out."""

import json
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest
from running import PRELUDE, UNTRAINED, own_environment, run
from tutorial import GUIDE, written
from watching import GUARD_S, until

from mlxprobe.supervisor.pyspy_stacks import program


def essence(text: str) -> list[str]:
    """Return what of a report does not vary: the script's lines, and the verdict without its figures."""
    folded = re.sub(r"\d+\.\d+ m?s", "…", " ".join(text.split()))
    return re.findall(r"hangs\.py:\d+ in \S+ with \w+:|deadlock: .*", folded)


def stands_still(process: psutil.Process) -> bool:
    """Tell whether a process with a second thread uses no processor for a second."""
    before = process.cpu_times()
    time.sleep(1)
    return bool(process.num_threads() > 1 and process.cpu_times()[:2] == before[:2])


@pytest.mark.slow
def test_a_process_that_hangs_is_told_of_as_the_page_shows(tmp_path: Path) -> None:
    if not program():
        pytest.skip("py-spy is not installed")
    shutil.copy(GUIDE / "tutorial" / "hangs.py", tmp_path)
    words = [sys.executable, "-u", "-c", "print('up', flush=True); import runpy; runpy.run_path('hangs.py')"]
    hangs = subprocess.Popen(words, cwd=tmp_path, stdout=subprocess.PIPE)
    try:
        assert hangs.stdout is not None and hangs.stdout.readline()
        assert until(lambda: stands_still(psutil.Process(hangs.pid)))
        (shown,) = written("hangs-now.md", "console")
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
    shown = [one.rstrip("\n") for one in written("notebook.md", "python") if one.startswith("%")]
    assert len(shown) == 3 and set(shown) <= set(cells)


def orders(page: str) -> list[tuple[list[str], list[str]]]:
    """Return the commands of a page, each with the lines that it shows."""
    lines = [one for block in written(page, "console") for one in block.splitlines()]
    starts = [k for k, line in enumerate(lines) if line.startswith("$ ")]
    ends = [*starts[1:], len(lines)]
    return [(lines[start].split()[2:], lines[start + 1 : end]) for start, end in zip(starts, ends, strict=True)]


def rounded(line: str) -> str:
    """Leave out how many thousands of operations: a slope over more looks where the machine is faster."""
    return re.sub(r"\b\d,\d{3}\b", "…", line)


@pytest.mark.slow
@pytest.mark.parametrize(("page", "codes"), [("before.md", [1]), ("ci.md", [1, 1, 0]), ("days.md", [0])])
def test_what_a_page_says_is_what_its_commands_print(page: str, codes: list[int], tmp_path: Path) -> None:
    shutil.copy(GUIDE / "tutorial" / "train.py", tmp_path)
    if page == "days.md":
        pytest.importorskip("jinja2")
        (tmp_path / "train.py").write_text(PRELUDE)
    found = []
    for words, shown in orders(page):
        order = [sys.executable, "-m", "mlxprobe", *words]
        done = subprocess.run(
            order, cwd=tmp_path, env=own_environment(), capture_output=True, text=True, timeout=GUARD_S, check=False
        )
        assert {*map(rounded, shown)} <= {*map(rounded, done.stderr.splitlines())}, done.stderr
        found.append(done.returncode)
    assert found == codes
    assert (tmp_path / "report.html").exists() is (page == "days.md")


@pytest.mark.slow
def test_what_the_page_says_of_any_program_runs_as_it_is_written(tmp_path: Path) -> None:
    whole, part = (one for one in written("notebook.md", "python") if "import mlxprobe\n" in one or "watching()" in one)
    (tmp_path / "program.py").write_text(f"{UNTRAINED}{whole}train(30)\nmlxprobe.disable()\n{part}")
    ran = run([sys.executable, "program.py"], tmp_path)
    assert ran.code == 0 and "healthy: no finding" in ran.err and "30 steps" in ran.err
    assert ran.out.startswith("() Sheet("), "what was not checked is no finding"
