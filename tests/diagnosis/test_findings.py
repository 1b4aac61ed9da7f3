"""Programs with one fault get its code at its place; programs that look odd and are right get nothing."""

import ast
import re
import sys
from pathlib import Path

import mlx.core as mx
import msgspec
import pytest
from watching import GUARD_S

from mlxprobe.diagnosis import RULES, examined
from mlxprobe.diagnosis.unchecked import reads
from mlxprobe.protocol.facts.work import DetectorFailed
from mlxprobe.schema.enums import Severity
from mlxprobe.schema.observation import Limits, Observation, Program
from mlxprobe.schema.record import Finding
from mlxprobe.supervisor.watch import observe

PROGRAMS = Path(__file__).parents[1] / "programs"
FAULTY = sorted((PROGRAMS / "faulty").glob("*.py"))
HEALTHY = sorted((PROGRAMS / "healthy").glob("*.py"))
MARK = re.compile(r"# (MP\d+)$")
STALL_S = 8.0 if mx.default_device() == mx.cpu else 60.0  # CUDA's kernels are built in silence, seconds each
LIMITS = Limits(stall_s=STALL_S, startup_s=GUARD_S, timeout_s=GUARD_S, memory_bytes=4_000_000_000)

pytestmark = pytest.mark.slow


def watched(file: Path) -> tuple[Observation, tuple[Finding, ...]]:
    program = Program(name=file.stem, argv=("script", str(file)), python=sys.executable)
    seen = observe(program, LIMITS, jit_key="tests")
    assert [fact for fact, _ in seen.every(DetectorFailed)] == []
    findings, failed = examined(seen)
    assert failed == ()
    return seen, findings


def marked(file: Path) -> tuple[str, int]:
    lines = enumerate(file.read_text().splitlines(), 1)
    ((code, line),) = [(found[1], number) for number, text in lines if (found := MARK.search(text)) and text[0] != "#"]
    return code, line


def implied(file: Path, words: str = "also") -> set[str]:
    lines = re.findall(rf"^# {words}: (.*)$", file.read_text(), re.MULTILINE)
    return {code for line in lines for code in line.split(", ")}


def function_at(file: Path, line: int) -> tuple[int, int]:
    """Return the lines of the innermost function around a line; all of a file's where there is none."""
    around = [
        (node.lineno, node.end_lineno or 0)
        for node in ast.walk(ast.parse(file.read_text()))
        if isinstance(node, (ast.FunctionDef, ast.Lambda)) and node.lineno <= line <= (node.end_lineno or 0)
    ]
    return max(around, default=(0, sys.maxsize))


def made_of(seen: Observation, code: str) -> set[str]:
    """Return the names of the facts without which a rule finds less."""
    found = {one.line for one in RULES[code].detect(seen)}
    kinds = {type(one.fact) for one in seen.sightings}
    without = {kind: tuple(one for one in seen.sightings if type(one.fact) is not kind) for kind in kinds}
    return {
        kind.__name__
        for kind, others in without.items()
        if found - {one.line for one in RULES[code].detect(msgspec.structs.replace(seen, sightings=others))}
    }


NESTED = {"mp307_padding_mask"}  # one call within another, of which Python 3.10 does not tell which it is in


@pytest.mark.parametrize("file", FAULTY, ids=lambda file: file.stem)
def test_a_fault_gets_its_code_at_its_place_and_nothing_but_what_follows(file: Path) -> None:
    code, line = marked(file)
    seen, findings = watched(file)
    found = [one for one in findings if one.code == code]
    assert found, findings
    first, last = (0, sys.maxsize) if file.stem in NESTED and sys.version_info < (3, 11) else function_at(file, line)
    assert any(one.file == str(file) and first <= one.line <= last for one in found), (found, line)
    grave = {one.code for one in findings if one.severity is not Severity.NOTE}
    assert grave <= {code} | implied(file), findings
    causes = {one.code for one in findings if one.severity is not Severity.NOTE and not one.follows}
    assert len(causes) <= 1, findings
    assert made_of(seen, code) <= reads(RULES[code])


@pytest.mark.parametrize("file", HEALTHY, ids=lambda file: file.stem)
def test_what_looks_odd_and_is_right_gets_no_warning(file: Path) -> None:
    seen, findings = watched(file)
    assert seen.finished and seen.exit_code == 0, seen.output_tail
    assert [one for one in findings if one.severity is not Severity.NOTE] == []
    assert implied(file, "no note").isdisjoint({one.code for one in findings if one.line}), findings


def test_every_code_has_a_program() -> None:
    codes = [marked(file)[0] for file in FAULTY]
    assert set(codes) <= RULES.keys()
    alone = [code for code in RULES if not RULES[code].of_ranks]  # the others: test_between_ranks.py
    assert [code for code in alone if code not in codes] == []


def test_rows_that_are_kept_and_often_alike_are_more_than_a_note() -> None:
    _, findings = watched(PROGRAMS / "faulty" / "mp109_few_states.py")
    assert [one.severity for one in findings if one.code == "MP109"] == [Severity.WARNING]


@pytest.mark.parametrize(
    ("name", "codes"),
    [("evaluated_every_tenth_step", {"MP102", "MP114"}), ("paths_summed_in_logarithms", {"MP302"})],
    ids=["what is put off and evaluated again and again", "MLX's own sums of exponentials"],
)
def test_what_is_right_gets_no_note_either(name: str, codes: set[str]) -> None:
    _, findings = watched(PROGRAMS / "healthy" / f"{name}.py")
    assert not codes & {one.code for one in findings}


def test_a_square_of_large_numbers_is_an_overflow() -> None:
    _, findings = watched(PROGRAMS / "faulty" / "mp207_square.py")
    assert ["overflows float32" in one.message for one in findings if one.code == "MP207"] == [True]


@pytest.mark.parametrize(
    ("name", "code", "text", "words"),
    [
        ("mp209_other", "MP209", "self.positions[:", " at {}:{}, and training went on"),
        ("mp206_opened_by_name", "MP206", "no layer has", "; `unfreeze` at {}:{} opened nothing"),
        ("mp502_handed_out", "MP502", "asked for again", " times here, by {}:{}, and "),
    ],
    ids=["what raised", "what opened nothing", "whose loop it is"],
)
def test_the_line_that_leads_to_a_fault_is_named_beside_its_place(name: str, code: str, text: str, words: str) -> None:
    file = PROGRAMS / "faulty" / f"{name}.py"
    (line,) = [number for number, one in enumerate(file.read_text().splitlines(), 1) if text in one]
    _, findings = watched(file)
    assert [words.format(file.name, line) in one.message for one in findings if one.code == code] == [True], findings


def test_a_leak_is_told_also_where_the_program_ends_before_its_place_is_sought(tmp_path: Path) -> None:
    source = (PROGRAMS / "faulty" / "mp307_padding_mask.py").read_text()
    (tmp_path / "short.py").write_text(source.replace("for i in range(25):", "for i in range(3):"))
    seen, findings = watched(tmp_path / "short.py")
    assert len(seen.steps) == 3
    assert [one.code for one in findings if one.severity is Severity.ERROR] == ["MP307"]
