"""What is said of a run: findings, verdict and record, frozen like the observation that they are made of."""

from __future__ import annotations

from mlxprobe.schema.enums import HangKind, Outcome, Role, Severity
from mlxprobe.schema.observation import (
    Collective,
    Environment,
    Limits,
    MlxSample,
    Place,
    Process,
    Raised,
    Reading,
    Sample,
    Silence,
    Stack,
    Value,
)
from mlxprobe.schema.run_summary import Sheet
from mlxprobe.schema.versions import USERS


class Finding(Value, frozen=True):
    """A named failure mode with its place and its evidence in numbers.

    Where the place is in an installed package, `caller` is the line of the user's own that led there. `follows` is the
    code of another finding of the same run that explains this one. `ranks` are those of all processes of the run that
    have the same finding (see `same`), where there are several. What it takes several ranks to see, `together`, stands
    in the row of each, and `ranks` are those that it tells of. `instead` is what to do about this one, where
    the page of its code says it less well.
    """

    code: str
    name: str
    severity: Severity
    message: str
    file: str = ""
    line: int = 0
    source: str = ""
    caller: Place | None = None
    evidence: dict[str, float] = {}
    instead: str = ""
    follows: str = ""
    ranks: tuple[int, ...] = ()
    together: bool = False

    @property
    def same(self) -> tuple[object, ...]:
        """What two processes' findings have in common where they are one: all but the figures."""
        return self.code, self.severity, self.file, self.line, self.caller, self.follows


class Unchecked(Value, frozen=True):
    """A rule that could not be judged, and the reason; `ranks` as in a Finding."""

    code: str
    name: str
    why: str
    ranks: tuple[int, ...] = ()

    @property
    def same(self) -> tuple[object, ...]:
        """The code and the reason, which several processes may share."""
        return self.code, self.why


class Remark(Value, frozen=True):
    """What else is known of a run and is no finding: what was not seen, what became of its children, of the machine.

    `name` is one of `verdict.remarks`'; while one is `grave`, nobody may call the program healthy.
    """

    name: str
    message: str
    grave: bool = True
    detail: dict[str, float] = {}


class Expectation(Value, frozen=True):
    """What is known of a program beforehand: its role, the document's claim, the measured outcome."""

    role: Role = Role.BROKEN
    claims: Outcome | None = None
    expects: Outcome = Outcome.PASS
    raises: str = ""
    finds: tuple[str, ...] = ()
    tolerance: float = 1e-4
    slow_factor: float = 0.0
    comparable: bool = True


class Verdict(Value, frozen=True):
    """The one outcome of a program, the reason in one line, and whether it is the expected one."""

    outcome: Outcome
    reason: str
    kind: HangKind | None = None
    as_expected: bool = True


class Repeat(Value, frozen=True):
    """One of the runs of a program that was run again, because what became of it was not expected."""

    outcome: Outcome
    reason: str
    as_expected: bool
    kind: HangKind | None = None


class StoredFact(Value, frozen=True):
    """A fact in a record: the name of its type, its fields, and when, where and how often it was seen."""

    type: str
    fields: dict[str, bool | int | float | str | tuple[bool | int | float | str, ...] | None] = {}
    step: int = 0
    file: str = ""
    line: int = 0
    source: str = ""
    caller: Place | None = None
    count: int = 1


class Compared(Value, frozen=True):
    """What a rank is compared with others by, beside its row, also where another record has them.

    The numbers of its steps, when each ended and its gradient calls, beside `step_s`; `facts` are those of its
    parameters, gradients and data; null in records of versions before 6, whose ranks are not compared again.
    """

    steps: tuple[int, ...] = ()
    ends_s: tuple[float, ...] = ()
    gradients: tuple[int, ...] = ()
    facts: tuple[StoredFact, ...] | None = None


class ProgramRecord(Value, frozen=True):
    """One program's row of a record: what was claimed, expected, observed, and the evidence.

    A scenario's variant has `scenario`, `variant`, `role` and `expects`; a user's own has `program` in their place.
    `mlxprobe run` expects it to pass; `mlxprobe watch` expects nothing: `as_expected` is false there where anything
    speaks against the program, and `outcome` is `unhealthy` where a finding does. `process` says which of its processes
    the row is of: a watch has a row for each that trains. `unchecked` are the rules that could not be judged, and
    `accepted` counts the findings that were left out, because a baseline has them. `ranks` are the rows of a variant's
    ranks; all else is the worst one's. `repeats` are all its runs, the first too, where there were several; all else is
    the worst one's.

    `ended`, `finished`, `silence` (its stacks are in `stacks`) and `evaluating_s` are the observation's. A rank waits
    in an evaluation since `evaluating_s` until `detection_s`, else `wall_s`. It has built as many collectives as the
    last one's `n` says, in each group; those without `done_s` are not finished. Where records were joined, `clock_s`
    added to its times makes them the first rank's, as nearly as is known. Where it ran on a cluster, `host` is its
    worker's name. `mlx` is the version of the MLX that it imported, empty where it imported none; older records have
    None.
    """

    outcome: Outcome
    reason: str
    as_expected: bool
    findings: tuple[Finding, ...]
    unchecked: tuple[Unchecked, ...] = ()
    accepted: int = 0
    program: str = ""
    process: Process | None = None
    scenario: str = ""
    variant: str = ""
    role: Role | None = None
    expects: Outcome | None = None
    kind: HangKind | None = None
    title: str = ""
    summary: str = ""
    documents: tuple[str, ...] = ()
    claims: Outcome | None = None
    says: str = ""
    remarks: tuple[Remark, ...] = ()
    stacks: tuple[Stack, ...] = ()
    raised: Raised | None = None
    steps: int = 0
    losses: tuple[Reading, ...] = ()
    score: float | None = None
    step_s: tuple[float, ...] = ()
    worst_step: int = 0
    worst_step_s: float = 0.0
    steps_s: float = 0.0
    pending: dict[int, int] = {}
    samples: tuple[Sample, ...] = ()
    memory: tuple[MlxSample, ...] = ()
    begun_s: float = 0.0
    wall_s: float = 0.0
    mlx: str | None = None
    exit_code: int | None = None
    detection_s: float | None = None
    limits: Limits | None = None
    sheet: Sheet = Sheet()
    result: dict[str, tuple[float, ...]] = {}
    ended: str = ""
    finished: bool = False
    silence: Silence | None = None
    collectives: tuple[Collective, ...] = ()
    evaluating_s: float | None = None
    compared: Compared | None = None
    clock_s: float = 0.0
    host: str = ""
    output_tail: str = ""
    ranks: tuple[ProgramRecord, ...] = ()
    repeats: tuple[Repeat, ...] = ()

    @property
    def name(self) -> str:
        """What `--scenario` and `allow` call it: `SCENARIO/VARIANT`, or `programs/PROGRAM`."""
        return f"{self.group}/{self.label}"

    @property
    def group(self) -> str:
        """Its scenario; `programs` for the user's own."""
        return self.scenario or USERS

    @property
    def label(self) -> str:
        """Its name within the group, with its rank where it has one, and its job where there are several."""
        named, process = self.program or self.variant, self.process
        if process and process.job:
            named += f", job {process.job}"
        return f"{named}, rank {process.rank}" if process and process.rank >= 0 else named

    @property
    def entries(self) -> tuple[Finding | Unchecked, ...]:
        """The findings, and the rules that could not be judged."""
        return (*self.findings, *self.unchecked)

    @property
    def watched(self) -> bool:
        """Whether `mlxprobe watch` has judged it, by its findings too, and nothing was expected of it."""
        return bool(self.program) and self.expects is None

    @property
    def completes(self) -> bool:
        """Whether it came to its end by itself, whatever was found."""
        return self.outcome in (Outcome.PASS, Outcome.UNHEALTHY)

    @property
    def is_cut_off(self) -> bool:
        """Whether a signal or a crash ended it: of its last moments, the last steps too, nothing may have arrived."""
        if self.finished or self.raised is not None or self.ended in ("running", "enough"):
            return False
        return self.exit_code < 0 if self.exit_code is not None else self.outcome is Outcome.CRASH

    @property
    def expected(self) -> Outcome:
        """The outcome that speaks for it: a user's program is expected to pass."""
        return self.expects or Outcome.PASS

    @property
    def intermittent(self) -> str:
        """How many of its runs were not as expected, as "1 of 3", where only some were; else empty."""
        unexpected = sum(not one.as_expected for one in self.repeats)
        return f"{unexpected} of {len(self.repeats)}" if 0 < unexpected < len(self.repeats) else ""


class Record(Value, frozen=True):
    """Everything that one `mlxprobe run` saw."""

    schema_version: int
    mlxprobe: str
    time: str
    environment: Environment
    programs: tuple[ProgramRecord, ...]
    complete: bool = True
    wall_s: float = 0.0
    problems: tuple[str, ...] = ()
