"""What a program said before it died is known by the file that its stderr goes to."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from running import PRELUDE
from watching import GUARD_S

from mlxprobe.cli.attach import attached
from mlxprobe.supervisor.pipes import tail_of, written

ABORTS = "import os\nos.write(2, b'[METAL] Command buffer execution failed: Insufficient Memory (8)\\n')\nos.abort()\n"
WAITS = "import os, sys\nos.write(2, b'[ring] Too many send/recv errors. Aborting...\\n')\nprint(flush=True)\n"


def test_only_what_came_after_is_read_of_a_file_and_nothing_of_a_pipe(tmp_path: Path) -> None:
    file = tmp_path / "log"
    file.write_text("before\n")
    before = written(str(file))
    file.write_text("before\nafter\n")
    assert tail_of(str(file), before) == "after\n"
    assert tail_of(str(tmp_path / "none")) == ""
    reading, writing = os.pipe()
    assert written(f"/dev/fd/{writing}") == -1
    assert tail_of(f"/dev/fd/{writing}") == ""
    os.close(reading)
    os.close(writing)


@pytest.mark.slow
def test_an_abort_is_told_by_its_words_and_its_exit_code_stays(tmp_path: Path) -> None:
    (tmp_path / "train.py").write_text(PRELUDE + ABORTS)
    words = [sys.executable, "-m", "mlxprobe", "watch", "--format", "json", "--output", "out.json", "train.py"]
    with open(tmp_path / "log", "wb") as log:
        done = subprocess.run(words, cwd=tmp_path, stderr=log, stdout=log, timeout=GUARD_S, check=False)
    assert done.returncode == -6
    assert "also: insufficient-memory (Metal)" in (tmp_path / "log").read_text()
    assert "insufficient-memory (Metal)" in (tmp_path / "out.json").read_text()


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere no process may read another's descriptors")
def test_attach_reads_the_log_of_a_process_that_waits(tmp_path: Path) -> None:
    with open(tmp_path / "log", "wb") as log:
        words = [sys.executable, "-c", f"{WAITS}sys.stdin.read()"]
        running = subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log)
    with running:
        assert running.stdout is not None and running.stdin is not None
        running.stdout.readline()
        seen = attached(running.pid)
        running.stdin.close()
    assert [one.name for one in seen.upstream] == ["its stderr has ring-aborted (ring)"]
