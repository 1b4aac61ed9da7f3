"""Ranks on other hosts: an `ssh` of ours starts them here, with nothing of the environment, as a real one would."""

from __future__ import annotations

import json
import os
import shlex
import sys
from pathlib import Path

import pytest
from running import MLXPROBE, run
from test_ranks import LAUNCH, RANK, free_port, rows_of

from mlxprobe.verdict.remarks import REMOTE

pytestmark = pytest.mark.slow

SSH = '#!/bin/bash\nexec env -i PATH="$PATH" HOME="$HOME" bash -c "${@: -1}"\n'


@pytest.fixture
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Write a program, and return the words that launch rank 0 of it here, and rank 1 on a host called studio2."""
    folder = tmp_path / "work"
    folder.mkdir()
    (folder / "train.py").write_text(RANK)
    hosts = [{"ssh": name, "ips": ["127.0.0.1"]} for name in ("127.0.0.1", "studio2")]
    (folder / "hosts.json").write_text(json.dumps(hosts))
    ssh = tmp_path / "bin" / "ssh"
    ssh.parent.mkdir()
    ssh.write_text(SSH)
    ssh.chmod(0o755)
    monkeypatch.setenv("PATH", f"{ssh.parent}{os.pathsep}{os.environ['PATH']}")
    return [LAUNCH, "--hostfile", "hosts.json", "-p", str(free_port())]


def test_a_rank_that_ssh_starts_is_told_with_what_watches_it_there(tmp_path: Path, elsewhere: list[str]) -> None:
    ran, rows = rows_of(tmp_path / "work", *elsewhere, sys.executable, "train.py")
    assert [(row["process"].get("rank"), row["outcome"]) for row in rows] == [(0, "pass")]
    (remark,) = [one for one in rows[0]["remarks"] if one["name"] == REMOTE]  # our ssh starts a neighbour, seen as such
    assert remark["detail"] == {"ranks": 1}
    assert "rank 1 runs on studio2, reached by ssh" in remark["message"]
    assert f"rank-$MLX_RANK.json -- {sys.executable} train.py'" in remark["message"]
    assert "healthy" not in ran.err and "not watched" in ran.err


def test_what_it_says_watches_every_rank_and_the_files_are_joined(tmp_path: Path, elsewhere: list[str]) -> None:
    folder = tmp_path / "work"
    order = f"exec {shlex.join([*MLXPROBE, 'watch'])} --format json --output rank-$MLX_RANK.json -- "
    order += f"{sys.executable} train.py raise"
    run([*elsewhere, "bash", "-c", order], folder)
    apart = [json.loads((folder / f"rank-{rank}.json").read_text())["programs"] for rank in (0, 1)]
    assert [[row["process"]["rank"] for row in rows] for rows in apart] == [[0], [1]]
    ran = run([*MLXPROBE, "merge", "rank-0.json", "rank-1.json"], folder)
    assert ran.code == 0, ran.err
    told = " ".join(ran.out.split())
    assert "MP704 error rank-lost: rank 1 raised ValueError: rank 1 fails, in step 7" in told
    assert "raised ValueError at" in told and "not watched" not in told
