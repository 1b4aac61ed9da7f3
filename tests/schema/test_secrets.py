"""Secrets among a command's words are in no record and no report."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from making import seen
from running import MLXPROBE, PRELUDE, run

from mlxprobe.protocol.facts.processes import RemoteRank
from mlxprobe.schema.observation import Sighting
from mlxprobe.schema.texts import masked
from mlxprobe.supervisor.event_log import EventLog
from mlxprobe.verdict.remarks import remarks

SECRET = "s3cr3t-of-mine"
SHOWN = {
    f"--api-key={SECRET}": "--api-key=***",
    f"--api_key {SECRET}": "--api_key ***",
    f"--password {SECRET} --lr 3": "--password *** --lr 3",
    f"-password {SECRET}": "-password ***",
    f"--hf-token {SECRET}": "--hf-token ***",
    f"--accessToken={SECRET}": "--accessToken=***",
    f"API_KEY={SECRET} python train.py": "API_KEY=*** python train.py",
    f"env AWS_SECRET_ACCESS_KEY={SECRET} python": "env AWS_SECRET_ACCESS_KEY=*** python",
    f"--store https://me:{SECRET}@host/x": "--store https://me:***@host/x",
    "hf_abcdefghijklmnopqrst": "***",
    "--max-tokens 512 --tokens 3 --tokenizer=bpe": "--max-tokens 512 --tokens 3 --tokenizer=bpe",
    "--keys 3 --monkey=4 --secretary=5 --compass=6": "--keys 3 --monkey=4 --secretary=5 --compass=6",
    "--token": "--token",
    "python -m train --lr=1e-3 data=x": "python -m train --lr=1e-3 data=x",
}


@pytest.mark.parametrize("words", SHOWN)
def test_values_of_secrets_alone_are_masked(words: str) -> None:
    assert " ".join(masked(words.split())) == SHOWN[words]


def test_a_process_of_a_record_has_masked_words() -> None:
    log = EventLog(0.0)
    words = ["python", "train.py", f"--api-key={SECRET}"]
    log.take({"e": "process", "t": 0.1, "pid": 3, "parent": 2, "rank": -1, "size": 0, "command": words})
    assert log.process.command == ("python", "train.py", "--api-key=***")


def test_a_rank_elsewhere_is_told_with_masked_words() -> None:
    one = Sighting(fact=RemoteRank(host="h", rank=1, command=f"python train.py --token {SECRET}"))
    told = " ".join(one.message for one in remarks(seen(sightings=(one,))))
    assert "--token ***" in told and SECRET not in told


@pytest.mark.slow
def test_no_report_of_a_watched_program_has_the_secret(tmp_path: Path) -> None:
    (tmp_path / "train.py").write_text(PRELUDE)
    order = [*MLXPROBE, "watch", "--format", "json", "--output", "out.json", "train.py", "--password", SECRET]
    ran = run(order, tmp_path)
    told = (tmp_path / "out.json").read_text()
    assert ran.code == 0 and SECRET not in told + ran.err
    assert "***" in json.loads(told)["programs"][0]["process"]["command"]


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="needs rights elsewhere")
def test_attach_shows_no_secret(tmp_path: Path) -> None:
    order = [sys.executable, "-c", "print(1, flush=True); import time; time.sleep(99)", "--api-key", SECRET]
    with subprocess.Popen(order, stdout=subprocess.PIPE) as sleeper:
        assert sleeper.stdout and sleeper.stdout.readline()
        told = run([*MLXPROBE, "attach", str(sleeper.pid), "--format", "json", "--output", "o.json"], tmp_path)
        sleeper.kill()
    assert SECRET not in told.err + told.out + (tmp_path / "o.json").read_text()
    assert "--api-key ***" in told.out
