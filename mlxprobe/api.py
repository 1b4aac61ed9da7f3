"""`mlxprobe.watch`: diagnose a program from Python."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from mlxprobe.runner.sidecar import log_finding, watched_block
from mlxprobe.runner.watch_session import Enough, Watch
from mlxprobe.schema.enums import Severity
from mlxprobe.schema.merge_ranks import whole
from mlxprobe.schema.observation import Program
from mlxprobe.schema.record import Finding, ProgramRecord, Unchecked, Verdict
from mlxprobe.schema.record_io import decode
from mlxprobe.schema.run_summary import Sheet
from mlxprobe.settings.table import resolve

STALL_S = 10.0


class Diagnosis(Verdict, frozen=True, kw_only=True):
    """A verdict with what was found; `record` is everything that was seen."""

    record: ProgramRecord
    findings: tuple[Finding, ...] = ()
    unchecked: tuple[Unchecked, ...] = ()

    def __repr__(self) -> str:
        """Name the verdict and the codes; the record is too long to be shown."""
        found = ", ".join(f"{one.code} {one.severity}" for one in self.findings) or "no finding"
        gaps = f", {len(self.unchecked)} not checked" if self.unchecked else ""
        return f"<{type(self).__name__} {self.outcome}: {found}{gaps}>"

    @property
    def grave(self) -> tuple[Finding, ...]:
        """The findings that are errors or warnings."""
        return tuple(one for one in self.findings if one.severity is not Severity.NOTE)


def watch(
    program: str | os.PathLike[str] | Sequence[str],
    *arguments: str,
    stall_s: float = STALL_S,
    timeout_s: float | None = None,
    steps: int = 0,
    until_finding: bool = False,
    cwd: str | os.PathLike[str] | None = None,
    env: Mapping[str, str] | None = None,
) -> Diagnosis:
    """Run a program in a watched process, and say what is wrong with it.

    Args:
        program: a Python script, run by this interpreter; or the words of any command.
        arguments: the script's arguments.
        stall_s: seconds without progress after which it counts as stuck, and is ended.
        timeout_s: seconds after which it is ended, moving or not; none by default.
        steps: end it after this many training steps; 0 for its own end.
        until_finding: end it at the first finding that is an error.
        cwd: the working folder; the current one by default.
        env: variables to add to the environment.

    Returns:
        The verdict, its findings, the rules that could not be judged (`unchecked`), and the record of the run.

    Raises:
        ProbeError: the program could not be started; UsageError where there is no such script.
    """
    from mlxprobe.schema.errors import UsageError

    if isinstance(program, (str, os.PathLike)):
        script = Path(program)
        if not (Path(cwd or ".") / script).is_file():
            raise UsageError(f"{script}: there is no such script; a command is a list of words")
        command: tuple[str, ...] = (sys.executable, str(script), *arguments)
    else:
        command = (*program, *arguments)
        if not command:
            raise UsageError("there is no program to watch: the list of its words is empty")
    for name, value in (("stall_s", stall_s), ("timeout_s", timeout_s)):
        if value is not None and not 0 < value < float("inf"):
            raise UsageError(f"{name}={value!r}: right is a number of seconds above 0")
    settings = replace(resolve({}), stall_s=stall_s, timeout_s=timeout_s)
    started = Program(name=command[-1 - len(arguments)], command=command, cwd=str(cwd or ""), env=dict(env or {}))
    return diagnosis_of(whole(Watch(started, settings, Enough(steps=steps, finding=until_finding)).run()))


class Seen:
    """What `watching` has seen; empty while its block runs, and where somebody else watches."""

    def __init__(self) -> None:
        self.diagnosis: Diagnosis | None = None

    def take(self, record: str, *, log: bool = True) -> None:
        """Take in a record as JSON, and log what it has found; nothing where nobody could give it."""
        if not record:
            return
        self.diagnosis = diagnosis_of(whole(decode(record.encode(), "what was seen").programs))
        for one in self.diagnosis.grave if log else ():
            log_finding(one.severity, one.code, one.message, f"{one.file}:{one.line}")

    @property
    def findings(self) -> tuple[Finding, ...]:
        """What was found."""
        return self.diagnosis.findings if self.diagnosis else ()

    @property
    def unchecked(self) -> tuple[Unchecked, ...]:
        """The rules that could not be judged, each with the reason."""
        return self.diagnosis.unchecked if self.diagnosis else ()

    @property
    def sheet(self) -> Sheet:
        """The facts of the run: model, optimizers, data, phases."""
        return self.diagnosis.record.sheet if self.diagnosis else Sheet()


@contextmanager
def watching(*, stall_s: float | None = None) -> Iterator[Seen]:
    """Watch a block of this very process: `with mlxprobe.watching() as seen: train()`.

    Errors and warnings are logged (`logging.getLogger("mlxprobe")`), what is proved at once, the rest at the end.

    Args:
        stall_s: seconds without progress that are told, as of `enable`. Nothing is ended.

    Raises:
        ProbeError: the process that watches could not be started; UsageError for a setting that is none.
    """
    seen = Seen()
    with watched_block(seen.take, stall_s):
        yield seen


def diagnosis_of(seen: ProgramRecord) -> Diagnosis:
    """Return what a record says of its program."""
    return Diagnosis(
        outcome=seen.outcome,
        reason=seen.reason,
        kind=seen.kind,
        as_expected=seen.as_expected,
        findings=seen.findings,
        unchecked=seen.unchecked,
        record=seen,
    )
