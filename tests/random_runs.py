"""Watch a program as `mlxprobe watch` does, and hold what it found against the marks in its text.

`# MP101` ends the line of the fault; `# or: MP207` names a code that will do as well, `# also: MP306` one that may come
beside it. A program without a mark is healthy.
"""

from __future__ import annotations

import ast
import re
import statistics
import sys
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from mlxprobe.protocol.facts.work import DetectorFailed
from mlxprobe.runner.watch_session import Watch
from mlxprobe.schema.enums import Severity
from mlxprobe.schema.observation import Observation, Program
from mlxprobe.schema.record import Finding
from mlxprobe.settings.table import resolve

MARK = re.compile(r"^\s*[^#\s].*# (MP\d+)$", re.MULTILINE)
MODULE = (0, 0)
SETTINGS = {"timeout_s": 600.0, "stall_s": 5.0}


@dataclass(frozen=True)
class Answer:
    """What was found in one program; `code` is its mark's, empty where it is healthy."""

    file: Path
    code: str
    answer: str  # found, misplaced, missed; healthy programs: quiet
    beside: tuple[Finding, ...]  # errors and warnings that nobody asked for
    findings: tuple[Finding, ...]
    seen: Observation

    @property
    def failed(self) -> str:
        """Say what the watching itself did not survive; for a healthy program also how it failed."""
        broken = [f"{fact}" for fact, _ in self.seen.every(DetectorFailed)]
        if not self.seen.begun:
            broken.append("MLX was never imported")
        if not self.code and (self.seen.ended != "exited" or self.seen.exit_code):
            broken.append(f"{self.seen.ended}, exit code {self.seen.exit_code}: {self.seen.output_tail[-300:]}")
        return "; ".join(broken)

    @property
    def learned(self) -> bool | None:
        """Tell whether the losses that it read first fell by a tenth; None where it read too few."""
        values = [one.value for one in self.seen.losses]
        part = len(values) // 5
        return statistics.fmean(values[-part:]) < 0.9 * statistics.fmean(values[:part]) if part else None


def watched(file: Path, *, anywhere: bool = False) -> Answer:
    """Run a program under the watch, with the interpreter of this process.

    A mark outside all functions is met outside all functions, or `anywhere` in the file.
    """
    file = file.resolve()
    watch = Watch(Program(name=file.name, command=(sys.executable, str(file)), cwd=str(file.parent)), resolve(SETTINGS))
    findings = tuple(one for one in watch.run()[0].findings)
    (seen,) = watch.seen
    text = file.read_text()
    grave = [one for one in findings if one.severity is not Severity.NOTE]
    marks = MARK.findall(text)
    if not marks:
        return Answer(file, "", "quiet", tuple(grave), findings, seen)
    wanted = {marks[0], *listed(text, "or")}
    found = [one for one in findings if one.code in wanted]
    line = next(number for number, one in enumerate(text.splitlines(), 1) if MARK.match(one))
    scope = scope_of(text, line)
    ours = [one for one in found if Path(one.file).name == file.name]
    there = any(scope_of(text, one.line) == scope or (anywhere and scope == MODULE) for one in ours)
    known = wanted | listed(text, "also")
    beside = tuple(one for one in grave if one.code not in known and root(one, findings) not in known)
    return Answer(file, marks[0], "found" if there else "misplaced" if found else "missed", beside, findings, seen)


def listed(text: str, word: str) -> set[str]:
    return {code for line in re.findall(rf"^# {word}: (.*)$", text, re.MULTILINE) for code in line.split(", ")}


PARSING = threading.Lock()  # Python 3.11 cannot build two trees at a time


def root(one: Finding, findings: Sequence[Finding]) -> str:
    """Return the code of the finding that a finding follows from in the end."""
    causes = {other.code: other.follows for other in findings}
    code, passed = one.follows, set[str]()
    while causes.get(code) and code not in passed:
        passed.add(code)
        code = causes[code]
    return code


def scope_of(text: str, line: int) -> tuple[int, int]:
    """Return the lines of the innermost function or lambda around a line; `MODULE` for the module's own."""
    with PARSING:
        tree = ast.parse(text)
    around = [
        (node.lineno, node.end_lineno or 0)
        for node in ast.walk(tree)
        if isinstance(node, (ast.FunctionDef, ast.Lambda)) and node.lineno <= line <= (node.end_lineno or 0)
    ]
    return max(around, default=MODULE)
