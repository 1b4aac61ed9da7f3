"""Records in and out: JSON of one schema version (see `values.versions`), written whole or not at all."""

from __future__ import annotations

import datetime
import errno
import math
import os
import re
import select
import stat
import tempfile
import time
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any, TypeVar

import msgspec

import mlxprobe
from mlxprobe.schema.base import Value
from mlxprobe.schema.errors import ProbeError, UsageError
from mlxprobe.schema.from_record import compared, silence
from mlxprobe.schema.metrics import counted_steps, stepped_s
from mlxprobe.schema.observation import Environment, Observation, Raised
from mlxprobe.schema.reading import IDLE_S, MOST_BYTES, Given, given, plain
from mlxprobe.schema.record import Expectation, Finding, ProgramRecord, Record, Remark, Unchecked, Verdict
from mlxprobe.schema.run_summary import Sheet
from mlxprobe.schema.texts import escaped, shortened
from mlxprobe.schema.versions import SCHEMA_VERSION, SELFTEST, current

SAME = (  # of an observation and of its row
    "raised",
    "losses",
    "score",
    "samples",
    "memory",
    "begun_s",
    "mlx",
    "wall_s",
    "exit_code",
    "detection_s",
    "limits",
    "sheet",
    "result",
    "process",
    "ended",
    "finished",
    "collectives",
    "evaluating_s",
)
READER_WITHIN_S = 2.0  # of a pipe that is written to
MOST_NAME = 60  # characters of a part of a file's name
MOST_FIGURES, MOST_ROWS = 1_000, 100_000  # of a finding, and pending operations by step: no run has more
Told = TypeVar("Told", Finding, Raised)


def now() -> str:
    """Return the time of a record, in UTC."""
    return datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds")


def new_record(environment: Environment, programs: Iterable[ProgramRecord], **more: Any) -> Record:
    """Return a record of this release of mlxprobe, made now; `more` are its other fields."""
    more |= {"schema_version": SCHEMA_VERSION, "mlxprobe": mlxprobe.__version__, "time": now()}
    return Record(environment=environment, programs=tuple(programs), **more)


def row(
    seen: Observation,
    findings: tuple[Finding, ...],
    verdict: Verdict,
    expectation: Expectation | None,
    remarks: tuple[Remark, ...] = (),
    *,
    unchecked: tuple[Unchecked, ...] = (),
    **names: Any,
) -> ProgramRecord:
    """Put one program's observation and verdict into a row of a record; a user's `program` has no role or claim."""
    known = ("expects",) if "program" in names else ("role", "claims", "expects")
    steps = counted_steps(seen)
    # the first and the last step also hold what the program does before and after its loop
    worst = max(steps[1:-1], key=lambda step: step.step_s, default=None)
    values = {
        **names,
        **({name: getattr(expectation, name) for name in known} if expectation else {}),
        "outcome": verdict.outcome,
        "kind": verdict.kind,
        "reason": verdict.reason,
        "as_expected": verdict.as_expected,
        "findings": findings,
        "unchecked": unchecked,
        "remarks": remarks,
        "stacks": seen.silence.stacks if seen.silence else seen.stacks,
        "steps": seen.steps[-1].n if seen.steps else 0,
        "worst_step": worst.n if worst else 0,
        "worst_step_s": round(worst.step_s, 6) if worst else 0.0,
        "steps_s": round(stepped_s(seen), 6),
        "step_s": tuple(round(step.step_s, 6) for step in steps),
        "pending": {step.n: step.pending for step in seen.steps if step.pending is not None},
        "silence": silence(seen),
        "compared": compared(seen),
    }
    values |= {name: getattr(seen, name) for name in SAME} | {"output_tail": seen.output_tail[-2000:]}
    return ProgramRecord(**values)


def slim(record: Record) -> Record:
    """Return a record with what a comparison needs alone: no series, stacks or paths, nothing of a self-test's own."""
    here = msgspec.structs.replace(record.environment, executable="")
    compared = tuple(_slim(one) for one in record.programs if one.group not in SELFTEST)
    return msgspec.structs.replace(record, environment=here, programs=compared)


def keep_baseline(record: Record, folder: Path) -> Path:
    """Write a record to a folder as a baseline, under the names of its release and device; return the file."""
    named = (re.sub(r"[^\w.+-]", "_", part)[:MOST_NAME] for part in (record.environment.mlx, record.environment.kind))
    file = folder / f"mlx-{'-'.join(named)}.json"
    write(file, encode(slim(record), indent=0))
    return file


def _slim(one: ProgramRecord) -> ProgramRecord:
    began = [sample for sample in one.samples if sample.t_s >= one.begun_s]
    raised = one.raised and msgspec.structs.replace(_unplaced(one.raised), traceback="")
    return msgspec.structs.replace(
        one,
        findings=tuple(map(_unplaced, one.findings)),
        unchecked=(),
        raised=raised,
        samples=(began[0], max(began, key=lambda sample: sample.rss_bytes)) if began else (),
        memory=tuple(sorted(one.memory, key=lambda sample: sample.peak_bytes)[-1:]),
        step_s=tuple(round(step_s, 5) for step_s in one.step_s),
        stacks=(),
        sheet=Sheet(),
        result={},
        process=None,
        ended="",
        finished=False,
        silence=None,
        collectives=(),
        evaluating_s=None,
        compared=None,
        ranks=(),
        output_tail="",
    )


def _unplaced(told: Told) -> Told:
    """Leave the names of the files, without their folders."""
    caller = told.caller and msgspec.structs.replace(told.caller, file=_base(told.caller.file))
    return msgspec.structs.replace(told, file=_base(told.file), caller=caller)


def _base(file: str) -> str:
    return file.rpartition("/")[2]


def encode(record: Value, indent: int = 2) -> bytes:
    """Return a record, or any other value, as JSON; values that are not finite are written "nan", "inf" and "-inf"."""
    plain = finite(msgspec.to_builtins(record, str_keys=True))
    return json_text(plain, indent).encode()


def json_text(plain: Any, indent: int = 2) -> str:
    """Return plain values as JSON that is safe on a terminal; without layout where that would be too much to read."""
    compact = msgspec.json.encode(plain)
    laid_out = msgspec.json.format(compact, indent=indent)
    return escaped((compact if len(laid_out) >= MOST_BYTES else laid_out).decode()) + "\n"


def finite(value: Any) -> Any:
    """JSON has no NaN; say it in words that the reader turns back."""
    if isinstance(value, float):
        return value if math.isfinite(value) else str(value)
    if isinstance(value, dict):
        return {key: finite(one) for key, one in value.items()}
    return [finite(one) for one in value] if isinstance(value, (list, tuple)) else value


def decode(data: bytes, origin: str) -> Record:
    """Read a record.

    Raises:
        UsageError: it is no record, truncated, or of another schema version; the message names `origin`.
    """
    return converted(plain(Given(origin, data), "record"), origin)


def converted(value: Any, origin: str) -> Record:
    """Return the record that values of JSON are; raises UsageError as `decode` does."""
    if isinstance(value, dict) and "records" in value and "programs" not in value:
        raise UsageError(f"{origin}: a matrix of several records; right is one, as `matrix --records FOLDER` writes it")
    if not isinstance(value, dict) or type(version := value.get("schema_version")) is not int:
        raise UsageError(f"{origin}: not an mlxprobe record: it has no schema version")
    if not 1 <= version <= SCHEMA_VERSION:
        raise UsageError(
            f"{origin}: record of schema version {version}; this mlxprobe reads versions 1 to {SCHEMA_VERSION}"
        )
    try:
        made = msgspec.convert(current(value), Record, strict=False, str_keys=True)
    except (msgspec.ValidationError, RecursionError) as error:
        raise UsageError(f"{origin}: not an mlxprobe record: {shortened(str(error))}") from None
    for one in made.programs:
        if len(one.pending) > MOST_ROWS or any(len(found.evidence) > MOST_FIGURES for found in one.findings):
            raise UsageError(f"{origin}: {shortened(one.name)}: more figures than any run has")
    return made


def load(path: Path) -> Record:
    """Read a record from a file, or from a self-test's bundle; raises UsageError as `decode` does, or if that fails."""
    found = given(path)
    return decode(found.data, found.origin)


def check_writable(path: Path | None) -> None:
    """Find out before a run, not after it, that a file cannot be written; raises ProbeError as `write` does."""
    if path is None:
        return
    try:
        folder = _target(path).parent
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise ProbeError(f"{path}: cannot be written: {error.strerror}") from None


def write(path: Path, data: bytes) -> None:
    """Write a file whole or not at all; what is no file, as /dev/null, is written to and stays what it is.

    A new file has the mode that the umask leaves, another one keeps its own; a link stays, and its target is written.

    Raises:
        ProbeError: the folder is not writable or the disk is full; nothing half-written stays.
    """
    temporary: Path | None = None
    try:
        if path.exists() and not path.is_file():
            _write_on(path, data)
            return
        target = _target(path)
        target.parent.mkdir(parents=True, exist_ok=True)
        fd, temporary = _beside(target)
        with os.fdopen(fd, "wb") as file:
            if target.exists():
                os.fchmod(fd, stat.S_IMODE(target.stat().st_mode))
            file.write(data)
            file.flush()
            os.fsync(fd)
        os.replace(temporary, target)
    except OSError as error:
        if temporary:
            temporary.unlink(missing_ok=True)
        raise ProbeError(f"{path}: cannot be written: {error.strerror}") from None


def without_waiting(name: str, flags: int) -> int:
    """Open a file; a pipe that no process reads is an error instead of a wait."""
    return os.open(name, flags | os.O_NONBLOCK, 0o666)


def _write_on(path: Path, data: bytes) -> None:
    """Write to what is no file; a pipe whose reader does not come, or reads nothing, is given up.

    Raises:
        OSError: it cannot be written.
    """
    fd = _opened(path)
    try:
        rest = memoryview(data)
        while rest:
            if not select.select([], [fd], [], IDLE_S)[1]:
                raise TimeoutError(errno.ETIMEDOUT, f"its reader took nothing for {IDLE_S:g} s")
            rest = rest[os.write(fd, rest) :]
    finally:
        os.close(fd)


def _opened(path: Path) -> int:
    until_s = time.monotonic() + READER_WITHIN_S
    while True:
        try:
            return os.open(path, os.O_WRONLY | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY)
        except OSError as error:
            if error.errno != errno.ENXIO or not path.is_fifo():
                raise
            if time.monotonic() > until_s:
                raise OSError(errno.ENXIO, "no process reads this pipe") from None
        time.sleep(0.05)


def _target(path: Path) -> Path:
    """Return where a file is, or is to be, behind all links.

    Raises:
        OSError: a link leads to itself.
    """
    found = Path(os.path.realpath(path))
    if found.is_symlink():
        raise OSError(errno.ELOOP, os.strerror(errno.ELOOP))
    return found


def _beside(target: Path) -> tuple[int, Path]:
    """Create a file of another name next to a file, with the mode that the umask leaves."""
    while True:
        temporary = target.with_name(f".{target.name[:MOST_NAME]}.{os.urandom(6).hex()}")
        with suppress(FileExistsError):
            return os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o666), temporary
