"""What several processes have in common is said once, with the ranks; a scenario's variants stay apart."""

from __future__ import annotations

import msgspec
import pytest
from making import record_row

from mlxprobe.runner.judging import ranked
from mlxprobe.schema.enums import Outcome, Severity
from mlxprobe.schema.merge_ranks import heading, said_once, whole
from mlxprobe.schema.observation import Process
from mlxprobe.schema.record import Finding, ProgramRecord


def found(code: str, line: int = 3, message: str = "said") -> Finding:
    return Finding(code=code, name="a-name", severity=Severity.ERROR, message=message, file="train.py", line=line)


def rows(*findings: tuple[Finding, ...], ranks: bool = True) -> tuple[ProgramRecord, ...]:
    made = [
        record_row(
            scenario="",
            program="train.py",
            findings=own,
            process=Process(pid=100 + k, rank=k if ranks else -1, size=len(findings) if ranks else 0),
        )
        for k, own in enumerate(findings)
    ]
    return ranked(made)


A, B = found("MP101"), found("MP102")
SAID = [
    ("one process says what it has", rows((A, B)), [["said", "said"]]),
    ("what all have", rows((A,), (A,)), [["said (all 2 ranks)"], []]),
    ("what one has", rows((A,), (A, B)), [["said (all 2 ranks)"], ["said (rank 1)"]]),
    ("what some have", rows((), (A,), (A,)), [[], ["said (ranks 1 and 2)"], []]),
    ("figures may differ", rows((found("MP101", message="1.2 MB"),), (found("MP101", message="1.3 MB"),)),
     [["1.2 MB (all 2 ranks)"], []]),
    ("places may not", rows((A,), (found("MP101", line=4),)), [["said (rank 0)"], ["said (rank 1)"]]),
    ("without ranks", rows((A,), (A,), (B,), ranks=False),
     [["said (2 of 3 processes)"], [], ["said (1 of 3 processes)"]]),
]  # fmt: skip


@pytest.mark.parametrize(("told", "messages"), [row[1:] for row in SAID], ids=[row[0] for row in SAID])
def test_it_is_said(told: tuple[ProgramRecord, ...], messages: list[list[str]]) -> None:
    assert [[one.message for one in row.findings] for row in said_once(told)] == messages


def test_variants_of_a_scenario_are_no_processes_of_one_program() -> None:
    variants = [record_row(findings=(A,), variant=name) for name in ("right", "wrong")]
    assert said_once(variants) == variants


def test_the_whole_is_what_ended_badly_with_all_that_was_found() -> None:
    first, second = rows((A,), (A, B))
    made = whole([first, msgspec.structs.replace(second, outcome=Outcome.CRASH)])
    assert (made.outcome, [one.code for one in made.findings]) == (Outcome.CRASH, ["MP101", "MP102"])


def test_processes_are_parted_and_named() -> None:
    pair = rows((), ())
    assert [heading(one, pair) for one in pair] == [["rank 0 of 2, process 100:"], ["", "rank 1 of 2, process 101:"]]
    assert heading(pair[0], pair[:1]) == []
