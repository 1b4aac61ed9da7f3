"""`mlxprobe watch` of what runs for long: its file is written anew, and a disk that is full ends nothing."""

from pathlib import Path

import pytest
from running import PRELUDE, UNTRAINED, watch

RELOADS = '<meta http-equiv="refresh"'


@pytest.mark.slow
def test_the_page_is_written_anew_while_it_runs_and_reloads_itself_until_the_end(tmp_path: Path) -> None:
    pytest.importorskip("jinja2")
    copies = "import os, shutil\nwhile not os.path.exists('page.html'): train(2)\nshutil.copy('page.html', 'then.html')"
    (tmp_path / "train.py").write_text(UNTRAINED + copies)
    ran = watch(tmp_path, "--every", "0.2s", "--format", "html", "--output", "page.html", "train.py")
    then, last = ((tmp_path / name).read_text() for name in ("then.html", "page.html"))
    assert ran.code == 0 and RELOADS in then and "still running" in then
    assert RELOADS not in last and "still running" not in last


@pytest.mark.slow
def test_what_cannot_be_written_is_told_once_and_the_program_goes_on(tmp_path: Path) -> None:
    blocks = "import shutil, time\nshutil.rmtree('out'); open('out', 'w').close()\nend = time.time() + 2\n"
    (tmp_path / "train.py").write_text(PRELUDE + blocks + "while time.time() < end: train(2)\nprint('done')")
    ran = watch(tmp_path, "--every", "0.2s", "--format", "json", "--output", "out/report.json", "train.py")
    assert ran.out == "done\n" and ran.code == 2
    assert ran.err.count("cannot be written") == 2 and "healthy: no finding" in ran.err  # once live, once at the end


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--every", "1min"], "--every writes --output anew, and there is none"),
        (["--every", "soon", "--output", "x.json"], "--every: 'soon' is not a time above zero"),
    ],
    ids=["no file", "no time"],
)
def test_a_wrong_interval_says_what_is_right(tmp_path: Path, words: list[str], told: str) -> None:
    from click.testing import CliRunner

    from mlxprobe.cli import main

    (tmp_path / "train.py").write_text("")
    assert told in CliRunner().invoke(main, ["watch", *words, str(tmp_path / "train.py")]).stderr
