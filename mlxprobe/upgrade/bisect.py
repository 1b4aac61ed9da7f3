"""Bisect releases: run the program on one after the other until the boundary is found."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec

import mlxprobe
from mlxprobe.cluster.runners import Runners
from mlxprobe.diagnosis import RULES
from mlxprobe.releases.index import Release
from mlxprobe.runner.schedule import Task, flat, side_by_side
from mlxprobe.schema.enums import Outcome
from mlxprobe.schema.errors import BrokenReleaseError, NoWheelError, ProbeError, UnmetRequirementError, UsageError
from mlxprobe.schema.observation import Value
from mlxprobe.schema.record import ProgramRecord
from mlxprobe.schema.record_io import finite, write
from mlxprobe.settings.table import cache_folder
from mlxprobe.upgrade.bisect_search import Answer, Bisection
from mlxprobe.upgrade.compare import compare, no_outcome, was_limited
from mlxprobe.upgrade.metric_comparison import peak_bytes

SKIP_CODE = 125  # as in `git bisect run`
CONDITIONS = "outcome=hang, finding=MP103, memory>1.5x, loss-diverges or exit!=0"

Predicate = Callable[[ProgramRecord, ProgramRecord], bool]


class Found(Value, frozen=True):
    """The end of a search: what each release answered, the first one that differs, the evidence."""

    releases: tuple[str, ...]
    answers: dict[str, str]
    evidence: dict[str, str]
    first: str = ""
    unclear: tuple[str, ...] = ()
    probes: int = 0
    find_fix: bool = False


def condition(text: str | None) -> Predicate:
    """Turn `--when` into a predicate over a row and the good end's row.

    Raises:
        UsageError: it is none of the known conditions.
    """
    if text is None:
        return lambda one, ideal: one.outcome is not ideal.outcome
    if text == "loss-diverges":
        return lambda one, ideal: (
            any(found.what == "loss" for found in compare("", [ideal], [one]).differences) or one.outcome is Outcome.NAN
        )
    if text == "exit!=0":
        return lambda one, ideal: bool(one.exit_code) or one.outcome in (Outcome.CRASH, Outcome.ERROR)
    if found := re.fullmatch(r"outcome=(.+)", text):
        return _outcome_is(found[1])
    if found := re.fullmatch(r"finding=(.+)", text):
        return _has_finding(found[1])
    if found := re.fullmatch(r"memory>(\d+(?:\.\d+)?)x", text):
        factor = float(found[1])
        return lambda one, ideal: (peak_bytes(one) or 0.0) > factor * (peak_bytes(ideal) or float("inf"))
    raise UsageError(f"--when: {text!r} is not {CONDITIONS}")


def _has_finding(code: str) -> Predicate:
    if code.upper() not in RULES:
        raise UsageError(f"--when: {code!r} is no finding; there are {', '.join(sorted(RULES))}")
    return lambda one, ideal: any(finding.code == code.upper() for finding in one.findings)


def _outcome_is(name: str) -> Predicate:
    if name not in set(map(str, Outcome)):
        raise UsageError(f"--when: {name!r} is not an outcome; there are {', '.join(map(str, Outcome))}")
    return lambda one, ideal: one.outcome == name


def only(tasks: Sequence[Task], scenario: str | None) -> Task:
    """Return the one program of a bisection.

    Raises:
        UsageError: the name means several.
    """
    chosen = [task for task in flat(tasks) if scenario is None or "/" not in scenario or not task.then]
    if len(chosen) != 1:
        names = ", ".join(task.name for task in flat(tasks))
        raise UsageError(f"bisect runs one program; {scenario!r} names {names}")
    return chosen[0]


def identity(task: Task, command: Sequence[str]) -> str:
    """Identify a cached row, apart from its environment: the program's text and mlxprobe's version."""
    files = [Path(word) for word in command if Path(word).is_file()]
    if task.file is not None:
        files.append(task.file)
    texts = [hashlib.sha256(file.read_bytes()).hexdigest() for file in files]
    return "|".join([mlxprobe.__version__, task.name, *command, str(Path.cwd()) if command else "", *texts])


def span(good: Release, bad: Release, versions: Sequence[str], *, find_fix: bool) -> list[Release]:
    """Return the releases from the older end to the newer.

    Raises:
        UsageError: the ends are equal, swapped, or not among the index's releases.
    """
    older, newer = (bad, good) if find_fix else (good, bad)
    for end in (older, newer):
        if end.version not in versions:
            advice = "" if end.version else "; name the release that it is"
            raise UsageError(f"{end.name} is not a release of the index ({versions[0]} to {versions[-1]}){advice}")
    low, high = versions.index(older.version), versions.index(newer.version)
    if low == high:
        raise UsageError(f"--good and --bad are both {older.name}")
    if low > high:
        advice = "leave --find-fix out" if find_fix else "swap them, or use --find-fix"
        raise UsageError(f"--good {good.name} and --bad {bad.name} are the wrong way round: {advice}")
    return [Release(name=one, version=one) for one in versions[low : high + 1]]


@dataclass
class BisectRun:
    """A bisection of one program; rows are cached on disk, so that a repeated or resumed one costs nothing."""

    runners: Runners
    task: Task
    predicate: Predicate
    identity: str
    repeat: int = 1
    find_fix: bool = False
    told: Callable[[str], None] = lambda _: None

    def run(self, releases: Sequence[Release]) -> Found:
        """Search, and return what was found; interrupted, what was known by then."""
        self._rows: dict[str, list[ProgramRecord]] = {}
        self._reasons: dict[str, str] = {}
        self._good = releases[-1 if self.find_fix else 0]
        search = Bisection([one.name for one in releases], find_fix=self.find_fix)
        try:
            search.search(lambda name: self._ask(next(one for one in releases if one.name == name)))
        except KeyboardInterrupt:
            self.runners.stop.set()
        return Found(
            releases=tuple(search.releases),
            answers={name: str(answer) for name, answer in search.answers.items()},
            evidence={name: rows[-1].reason for name, rows in self._rows.items()} | self._reasons,
            first=search.first,
            unclear=search.unclear,
            probes=search.probes,
            find_fix=self.find_fix,
        )

    def _ask(self, release: Release) -> Answer:
        ideal = self._ideal()
        try:
            rows = self._observed(release)
        except (NoWheelError, UnmetRequirementError) as error:
            self._reasons[release.name] = str(error)
            self.told(f"mlx {release.name}: skipped: {error}")
            return Answer.SKIP
        except BrokenReleaseError as error:
            return self._broken(release, error, ideal)
        answer = Answer.BAD if any(self.predicate(one, ideal) for one in rows) else Answer.GOOD
        cut_short = answer is Answer.GOOD and any(map(was_limited, rows))  # before the condition could occur
        if cut_short or any(no_outcome(one) or one.exit_code == SKIP_CODE for one in rows):
            answer = Answer.SKIP
        self.told(f"mlx {release.name}: {answer} ({rows[-1].outcome}: {rows[-1].reason})")
        return answer

    def _ideal(self) -> ProgramRecord:
        """Return the good end's row, with which all others are compared.

        Raises:
            ProbeError: it does not import or gives no outcome.
        """
        try:
            ideal = self._observed(self._good)[0]
        except BrokenReleaseError as error:
            raise ProbeError(f"{error}; choose another --good") from None
        if why := no_outcome(ideal) or (was_limited(ideal) and f"ended by a limit: {ideal.reason}"):
            raise ProbeError(f"mlx {self._good.name} gives nothing to compare with: {why}")
        return ideal

    def _broken(self, release: Release, error: BrokenReleaseError, ideal: ProgramRecord) -> Answer:
        """Judge a release that does not import: an error, which answers some conditions and not others."""
        row = msgspec.structs.replace(
            ideal, outcome=Outcome.ERROR, reason=str(error), exit_code=1, findings=(), losses=(), memory=()
        )
        answer = Answer.BAD if self.predicate(row, ideal) else Answer.SKIP
        self._reasons[release.name] = str(error)
        self.told(f"mlx {release.name}: {answer}: {error}")
        return answer

    def _observed(self, release: Release) -> list[ProgramRecord]:
        if release.name not in self._rows:
            self._rows[release.name] = self._run(release)
        return self._rows[release.name]

    def _run(self, release: Release) -> list[ProgramRecord]:
        runner, settings = self.runners.of(release), self.runners.place.settings
        limits = f"{settings.timeout_s}|{settings.stall_s}|{settings.memory}"  # which may have ended what is kept
        digest = hashlib.sha256(f"{self.identity}|{limits}|{runner.environment}".encode()).hexdigest()[:20]
        file = cache_folder() / "bisect" / f"{digest}.json"
        rows = _cached(file)
        while len(rows) < self.repeat:
            host = next((one.host for seen in self._rows.values() for one in seen), "")  # one machine's figures
            (again,) = side_by_side([runner], [self.task.repeated()], self.runners.place, {self.task.name: host})
            rows += again.values()
            if self.runners.stop.is_set():
                raise KeyboardInterrupt
            try:
                write(file, msgspec.json.encode(finite(msgspec.to_builtins(rows, str_keys=True))))
            except ProbeError as error:
                self.told(str(error))
        return rows[: self.repeat]


def _cached(file: Path) -> list[ProgramRecord]:
    """Return the rows of earlier runs; rows without a verdict are run again: a missing requirement may exist now."""
    if not file.is_file():
        return []
    try:
        rows = msgspec.json.decode(file.read_bytes(), type=list[ProgramRecord], strict=False)
        return [one for one in rows if one.outcome is not Outcome.UNJUDGED]
    except (OSError, msgspec.DecodeError, msgspec.ValidationError):
        return []
