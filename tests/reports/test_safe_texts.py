"""What a record holds neither steers a terminal nor loads anything into a page."""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest
from click.testing import CliRunner
from making import HERE, STACK, record, record_row, watched_row

from mlxprobe.cli.common import main
from mlxprobe.reports import FORMATS, WATCH_FORMATS, text
from mlxprobe.reports.console import printed
from mlxprobe.reports.gate import GATE_FORMATS, GateReport
from mlxprobe.reports.matrix import MATRIX_FORMATS
from mlxprobe.schema import texts
from mlxprobe.schema.enums import Outcome, Severity
from mlxprobe.schema.observation import Process
from mlxprobe.schema.record import Finding, Record, Remark
from mlxprobe.schema.record_io import decode, encode
from mlxprobe.upgrade.matrix import Matrix

ORDERS = "\x1b[31m\x1b]0;taken\x07\x00\x9b2J\u202eevil\u2066\u200f"
PAGE = '<img src="https://elsewhere/x.png"> ![](https://elsewhere/y.png) ![a][b]\n\n[b]: https://elsewhere/z.png\n\n<script>'
TEXTS = ("title", "reason", "summary", "says", "program", "variant", "scenario", "host", "output_tail")


def hostile(evil: str) -> Record:
    """Return a record with a text in each place that takes one."""
    found = Finding(code=f"MP1{evil}", name=evil, severity=Severity.ERROR, message=evil, file=evil, source=evil, line=3)
    remark = Remark(name=evil, message=evil)
    row = record_row(Outcome.HANG, claims=Outcome.PASS, documents=(evil,), as_expected=False, stacks=(STACK,))
    row = msgspec.structs.replace(row, findings=(found,), remarks=(remark,), **dict.fromkeys(TEXTS[:4], evil))
    others = [
        msgspec.structs.replace(row, **{name: f"{evil}{name}"})
        for name in TEXTS
    ]  # fmt: skip
    mine = watched_row(
        program=f"{evil}.py", process=Process(pid=3, rank=0, command=(evil,)), findings=(found,), remarks=(remark,)
    )
    environment = msgspec.structs.replace(HERE, mlx=evil, device=evil, device_name=evil, python=evil, platform=evil)
    return record(row, *others, mine, environment=environment, time=evil, mlxprobe=evil, problems=(evil,))


def harmless(told: str) -> bool:
    return not any(unicodedata.category(char) in {"Cc", "Cf", "Cs", "Zl", "Zp"} and char != "\n" for char in told)


RENDERED: dict[str, Callable[[Record], str]] = {
    "text": FORMATS["text"],
    "watch": WATCH_FORMATS["text"],
    "github": WATCH_FORMATS["github"],
    "markdown": FORMATS["markdown"],
    "matrix": lambda made: MATRIX_FORMATS["text"](Matrix(schema_version=1, records=(made,), broken={ORDERS: ORDERS})),
    "matrix, markdown": lambda made: MATRIX_FORMATS["markdown"](Matrix(schema_version=1, records=(made, made))),
    "json": FORMATS["json"],
    "sarif": WATCH_FORMATS["sarif"],
    "matrix, json": lambda made: MATRIX_FORMATS["json"](Matrix(schema_version=1, records=(made, made))),
    "gate, json": lambda made: GATE_FORMATS["json"](
        GateReport(schema_version=1, baseline=made.time, candidate=made.time)
    ),
}


@pytest.mark.parametrize("name", RENDERED)
def test_no_format_hands_on_what_a_terminal_obeys(name: str) -> None:
    assert harmless(RENDERED[name](hostile(ORDERS)))


def test_json_that_is_harmless_says_the_same() -> None:
    made = hostile(ORDERS + "\U000e0041\x7f\x85\u061c\u2028ü→")
    assert decode(encode(made), "r") == made
    assert "ü→" in encode(made).decode()


def test_a_message_is_harmless_too(tmp_path: Path) -> None:
    plain: dict[str, Any] = json.loads(encode(record()))
    plain["programs"][0]["outcome"] = ORDERS
    (tmp_path / "r.json").write_text(json.dumps(plain))
    done = CliRunner().invoke(main, ["report", str(tmp_path / "r.json")])
    assert done.exit_code == 2 and harmless(done.stderr) and "evil" in done.stderr


def remote(told: str) -> list[str]:
    """Find tags and images in Markdown, outside of code blocks."""
    return re.findall(r"(?<!\\)!\[|<[a-zA-Z/!]", re.sub(r"(?ms)^```.*?^```", "", told))


@pytest.mark.parametrize("name", ["markdown", "matrix, markdown"])
def test_markdown_loads_nothing(name: str) -> None:
    told = RENDERED[name](hostile(PAGE))
    assert not remote(told) and "elsewhere" in told
    assert not re.search(r"(?m)^\[b\]:", told)


def test_every_character_that_hides_is_known() -> None:
    hidden = re.compile(f"[{texts.HIDDEN}]")
    for char in map(chr, range(0x110000)):
        if unicodedata.category(char) in {"Cc", "Cf", "Cs", "Zl", "Zp"}:
            assert hidden.match(char), hex(ord(char))


def test_colours_of_ours_stay() -> None:
    assert printed(text.renderable(record())) == FORMATS["text"](record())


@pytest.mark.parametrize("name", ["x/../../escaped", "/etc/x", "..", "a\0b", "\x1b[2J", "x" * 500, "", "0.32.4"])
def test_records_are_written_below_their_folder_alone(name: str, tmp_path: Path) -> None:
    made = record(environment=msgspec.structs.replace(HERE, mlx=name, device=name or "cpu"))
    (tmp_path / "r.json").write_bytes(encode(made))
    done = CliRunner().invoke(main, ["report", "--records", str(tmp_path / "in" / "it"), str(tmp_path / "r.json")])
    assert done.exit_code == 0, done.stderr
    assert {one.relative_to(tmp_path).parts[0] for one in tmp_path.rglob("*")} == {"r.json", "in"}
    (file,) = (tmp_path / "in" / "it").iterdir()
    assert file.suffix == ".json" and harmless(done.stderr) and harmless(str(file))
