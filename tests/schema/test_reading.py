"""Files from elsewhere: any bytes give a record, or one sentence."""

from __future__ import annotations

import contextlib
import io
import json
import os
import struct
import subprocess
import sys
import threading
import time
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner
from making import record
from running import MLXPROBE, own_environment

from mlxprobe.cli.common import main
from mlxprobe.schema import reading, record_io
from mlxprobe.schema.errors import UsageError
from mlxprobe.upgrade import matrix
from mlxprobe.upgrade.history import read

GOOD = record_io.encode(record())


def packed(data: bytes, name: str = reading.RECORD, way: int = zipfile.ZIP_DEFLATED) -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", way) as bundle:
        bundle.writestr(name, data)
    return made.getvalue()


def encrypted() -> bytes:
    data = bytearray(packed(GOOD, way=zipfile.ZIP_STORED))
    data[6] |= 1
    data[data.index(b"PK\x01\x02") + 8] |= 1
    return bytes(data)


def of_another_method() -> bytes:
    data = bytearray(packed(GOOD, way=zipfile.ZIP_STORED))
    data[8:10] = data[data.index(b"PK\x01\x02") + 10 :][:2] = struct.pack("<H", 99)
    at = data.index(b"PK\x01\x02") + 10
    data[at : at + 2] = struct.pack("<H", 99)
    return bytes(data)


def with_row(**changes: object) -> bytes:
    plain = json.loads(GOOD)
    plain["programs"][0] |= changes
    return json.dumps(plain).encode()


HOSTILE = {
    "empty": b"",
    "a string that is not UTF-8": GOOD.replace(b"toy", b"t\xffy"),
    "an unknown string that is not UTF-8": GOOD.replace(b'"mlxprobe"', b'"other": "\xff", "mlxprobe"', 1),
    "half a surrogate pair": GOOD.replace(b"toy", rb"t\ud800y"),
    "lists within lists": b"[" * 100_000,
    "lists within a record": with_row(title=0).replace(b'"title": 0', b'"title": ' + b"[" * 100_000 + b"]" * 100_000),
    "tables within tables": b'{"schema_version":' * 100_000,
    "lists that the parser takes": GOOD.replace(b'"toy"', b"[" * 300 + b"]" * 300),
    "a number out of range": with_row(wall_s=0).replace(b'"wall_s": 0', b'"wall_s": 1e999'),
    "a count of 400 digits": with_row(wall_s=0).replace(b'"wall_s": 0', b'"wall_s": 0, "steps": 1' + b"0" * 400),
    "counts of 400 digits": with_row(wall_s=0).replace(
        b'"wall_s": 0', b'"wall_s": 0, "pending": [1, 1' + b"0" * 400 + b"]"
    ),
    "an encrypted bundle": encrypted(),
    "a bundle of another method": of_another_method(),
    "a bundle cut off": packed(GOOD)[:-30],
    "a bundle of another content": packed(GOOD, "other.json"),
    "a bundle with a broken stream": packed(GOOD).replace(packed(GOOD)[60:90], b"\xff" * 30),
    "a bundle in a bundle": packed(packed(GOOD)),
    "a record of another schema in a matrix": json.dumps(
        {"schema_version": 1, "records": [json.loads(GOOD) | {"schema_version": 99}]}
    ).encode(),
    "no record in a matrix": b'{"schema_version": 1, "records": [3]}',
    "a matrix without a list": b'{"schema_version": 1, "records": 3}',
    "an evidence of texts": with_row(
        findings=[{"code": "MP1", "name": "n", "severity": "note", "message": "", "evidence": {"a": "b"}}]
    ),
    "a detail of tables": with_row(remarks=[{"name": "no step", "message": "m", "detail": {"a": {}}}]),
    "a fact's fields of tables": with_row(compared={"facts": [{"type": "StateGiven", "fields": {"what": {}}}]}),
}


@pytest.mark.parametrize("name", HOSTILE)
@pytest.mark.parametrize("order", [["report", "--format", "text"], ["merge"], ["gate", "--baseline"]], ids=" ".join)
def test_any_bytes_give_one_sentence(name: str, order: list[str], tmp_path: Path) -> None:
    file = tmp_path / "given.json"
    file.write_bytes(HOSTILE[name])
    done = CliRunner().invoke(main, [*order, str(file)])
    assert done.exit_code == 2 and isinstance(done.exception, SystemExit), done.exception
    assert done.stderr.startswith("mlxprobe: ") and done.stderr.count("\n") == 1, done.stderr
    assert str(file) in done.stderr and len(done.stderr) < 600


MARKED = {
    "UTF-8": b"\xef\xbb\xbf" + GOOD,
    "UTF-16": GOOD.decode().encode("utf-16"),
    "UTF-16, big end first": b"\xfe\xff" + GOOD.decode().encode("utf-16-be"),
    "UTF-32": GOOD.decode().encode("utf-32"),
}


@pytest.mark.parametrize("name", MARKED)
def test_a_byte_order_mark_is_read_over(name: str, tmp_path: Path) -> None:
    file = tmp_path / "given.json"
    file.write_bytes(MARKED[name])
    assert record_io.load(file) == record()


def test_a_record_of_another_schema_within_a_matrix_is_named(tmp_path: Path) -> None:
    (tmp_path / "m.json").write_bytes(HOSTILE["a record of another schema in a matrix"])
    with pytest.raises(UsageError, match=r"record of schema version 99; this mlxprobe reads versions 1 to"):
        matrix.load(tmp_path / "m.json")


@pytest.fixture
def pipe(tmp_path: Path) -> Iterator[Path]:
    """Make a pipe with a name into which a record is written once."""
    os.mkfifo(tmp_path / "pipe")

    def fill() -> None:
        with open(tmp_path / "pipe", "wb") as file:
            time.sleep(0.05)
            file.write(GOOD)

    writer = threading.Thread(target=fill, daemon=True)
    writer.start()
    yield tmp_path / "pipe"
    writer.join(5)


@pytest.mark.slow
def test_a_pipe_is_read_once(pipe: Path) -> None:
    assert read([pipe]).records == [record()]


def test_a_pipe_that_nobody_writes_to_is_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    os.mkfifo(tmp_path / "pipe")
    monkeypatch.setattr(reading, "IDLE_S", 0.05)
    with pytest.raises(UsageError, match=r"nothing came for 0\.05 s"):
        read([tmp_path / "pipe"])


def test_a_pipe_whose_writer_drips_is_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    os.mkfifo(tmp_path / "pipe")
    monkeypatch.setattr(reading, "WITHIN_S", 0.5)
    ended = threading.Event()

    def drip() -> None:
        with contextlib.suppress(BrokenPipeError), (tmp_path / "pipe").open("wb", buffering=0) as file:
            while not ended.wait(0.05):
                file.write(b" ")

    writer = threading.Thread(target=drip)
    writer.start()
    began_s = time.monotonic()
    try:
        with pytest.raises(UsageError, match=r"cannot be read: its end did not come within 0\.5 s"):
            read([tmp_path / "pipe"])
        assert time.monotonic() - began_s < 5
    finally:
        ended.set()
        writer.join()


@pytest.mark.slow
def test_standard_input_is_read_once() -> None:
    order = [*MLXPROBE, "report", "--format", "text", "/dev/stdin"]
    done = subprocess.run(order, input=GOOD, env=own_environment(), capture_output=True, timeout=60, check=False)
    assert (done.returncode, done.stderr) == (0, b"") and b"toy" in done.stdout


def bombs() -> dict[str, bytes]:
    zeros = io.BytesIO()
    with (
        zipfile.ZipFile(zeros, "w", zipfile.ZIP_DEFLATED) as bundle,
        bundle.open(reading.RECORD, "w", force_zip64=True) as into,
    ):
        for _ in range(300):
            into.write(bytes(10**6))
    row = json.loads(GOOD)["programs"][0]
    finding = {"code": "MP1", "name": "n", "severity": "note", "message": "m", "follows": "MP1"}
    return {
        "a bundle of zeros": zeros.getvalue(),
        "a bundle that lies about its size": zeros.getvalue().replace(struct.pack("<Q", 300 * 10**6), bytes(8)),
        "lists": b'{"schema_version":6,"programs":[' + b"[]," * 20_000_000 + b"[]]}",
        "numbers": with_row(step_s=[]).replace(b'"step_s": []', b'"step_s": [' + b"0.5," * 14_000_000 + b"0]"),
        "a long text": with_row(reason="\x7f" * 50_000_000),
        "many rows": GOOD[: GOOD.index(b'"programs"')] + b'"programs":' + json.dumps([row] * 9000).encode() + b"}",
        "many findings": with_row(findings=[finding | {"message": str(k)} for k in range(30_000)]),
        "many causes": with_row(findings=[finding | {"code": f"A{k}", "follows": f"A{k - 1}"} for k in range(3_000)]),
        "many processes": with_row(
            stacks=[{"pid": 1, "thread": "t", "frames": [{"file": "f", "line": 1, "function": "f"}] * 9}] * 9_000
        ),
    }


LIMITED = """
import resource, subprocess, sys, time
code = subprocess.run(sys.argv[1:], timeout=100).returncode
used = resource.getrusage(resource.RUSAGE_CHILDREN)
print("USED", code, used.ru_utime + used.ru_stime, used.ru_maxrss / 1000, file=sys.stderr)
"""


@pytest.mark.slow
@pytest.mark.parametrize("name", [
    "a bundle of zeros", "a bundle that lies about its size", "lists", "numbers", "a long text", "many rows",
    "many findings", "many causes", "many processes", "/dev/zero",
])  # fmt: skip
@pytest.mark.parametrize("form", ["text", "markdown"])
def test_time_and_memory_stay_within_their_bounds(name: str, form: str, tmp_path: Path) -> None:
    file = Path(name) if name.startswith("/") else tmp_path / "given"
    if file.parent == tmp_path:
        file.write_bytes(bombs()[name])
    order = [sys.executable, "-c", LIMITED, *MLXPROBE, "report", "--format", form, str(file)]
    done = subprocess.run(order, env=own_environment(), capture_output=True, text=True, timeout=120, check=False)
    *told, used = done.stderr.splitlines()
    _, code, seconds, megabytes = used.split()
    assert "Traceback" not in done.stderr and code in "02" and len(told) == (code == "2"), told
    assert float(seconds) < 30 and float(megabytes) < 500, used
