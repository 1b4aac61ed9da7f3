"""Random programs on one release, or on two side by side: run, judge, reduce, count."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import islice

import msgspec

from mlxprobe.fuzz import accepted
from mlxprobe.fuzz.batch import SIZE, Batches, Seen
from mlxprobe.fuzz.case import Case
from mlxprobe.fuzz.discrepancy import Discrepancy
from mlxprobe.fuzz.operations import coverage
from mlxprobe.fuzz.oracles import Judge, between
from mlxprobe.fuzz.reduce import reduced
from mlxprobe.fuzz.script import script
from mlxprobe.values.observation import Environment, Value

FUZZ_SCHEMA_VERSION = 1
MOST_REDUCED = 40  # causes; the others are told as they were found


class Finding(Value, frozen=True):
    """One cause: which operation, which oracle, how; the smallest case that shows it, and on which releases."""

    operation: str
    oracle: str
    kind: str
    message: str
    case: str
    cases: int
    releases: tuple[str, ...]
    proved: bool = True
    excess: float = 0.0
    accepted: str = ""
    reduced: Case | None = None
    script: str = ""


class FuzzReport(Value, frozen=True):
    """What random programs have shown, the last release's findings and those of the one before it."""

    schema_version: int
    seed: int
    programs: int
    environments: tuple[Environment, ...]
    findings: tuple[Finding, ...]
    met: tuple[str, ...] = ()
    unmet: dict[str, str] = {}
    unsupported: dict[str, tuple[str, ...]] = {}
    unrepeated: tuple[str, ...] = ()
    complete: bool = True
    wall_s: float = 0.0

    @property
    def new(self) -> list[Finding]:
        """What the release that is judged shows, and the one before it did not; all, where there is no other."""
        last = self.environments[-1].mlx
        alone = len(self.environments) == 1
        told = [one for one in self.findings if last in one.releases and not one.accepted]
        return [one for one in told if alone or one.releases == (last,)]


def _is_absent(seen: Seen) -> bool:
    value = seen.get("value")
    return isinstance(value, dict) and "has no attribute" in value.get("error", "")


class Fuzzing:
    """Run cases on every side, and keep for each cause the first case that showed it."""

    def __init__(self, sides: Sequence[Batches], jobs: int, told: Callable[[str], None] = lambda _: None) -> None:
        self.sides = sides
        self.stop = sides[0].stop
        self._jobs = jobs
        self._told = told
        self._shown: dict[tuple[str, str, str], dict[str, list[tuple[Case, Discrepancy]]]] = {}
        self._unsupported: dict[str, set[str]] = {}
        self._met: set[str] = set()
        self._ran = 0

    def run(self, cases: Iterable[Case], seed: int, programs: int | None, seconds: float | None) -> FuzzReport:
        """Run so many programs, or for so long, and return what they have shown."""
        began_s, left = time.monotonic(), iter(cases)
        try:
            while not self.stop.is_set() and (programs is None or self._ran < programs):
                size = SIZE if programs is None else min(SIZE, programs - self._ran)
                if (seconds and time.monotonic() - began_s > seconds) or not (batch := list(islice(left, size))):
                    break
                self._batch(batch)
            findings = self._findings()
        except KeyboardInterrupt:
            self.stop.set()
            findings = self._findings()
        public = self.sides[-1].public
        return FuzzReport(
            schema_version=FUZZ_SCHEMA_VERSION,
            seed=seed,
            programs=self._ran,
            environments=tuple(side.environment for side in self.sides),
            findings=tuple(findings),
            met=tuple(sorted(self._met.intersection(public))),
            unmet={name: coverage.reason(name) for name in public if name not in self._met},
            unsupported={name: tuple(sorted(told)) for name, told in sorted(self._unsupported.items())},
            unrepeated=tuple(one for side in self.sides for one in side.unrepeated),
            complete=not self.stop.is_set(),
            wall_s=time.monotonic() - began_s,
        )

    def _batch(self, cases: Sequence[Case]) -> None:
        with ThreadPoolExecutor(self._jobs) as pool:
            seen = list(pool.map(lambda side: side.run(cases), self.sides))
        for case in cases:
            if not all(case.id in each for each in seen):
                continue  # interrupted
            self._ran += 1
            if any(_is_absent(each[case.id]) for each in seen):
                continue  # from one of the releases: they have nothing to be compared in
            self._met |= {step.function for step in case.steps}
            for side, each in zip(self.sides, seen, strict=True):
                self._judge(case, each[case.id], side.environment.mlx)
            if len(seen) > 1:
                self._take(between(case, seen[0][case.id], seen[-1][case.id]), case, self.sides[-1].environment.mlx)
        self._told(f"{self._ran} programs, {len(self._shown)} causes")

    def _judge(self, case: Case, seen: Seen, release: str) -> None:
        judge = Judge(case, seen)
        self._take(judge.judge(), case, release)
        if judge.unsupported:
            self._unsupported.setdefault(case.operation, set()).update(judge.unsupported)

    def _take(self, found: Iterable[Discrepancy], case: Case, release: str) -> None:
        for one in found:
            self._shown.setdefault(one.cause, {}).setdefault(release, []).append((case, one))

    def _findings(self) -> list[Finding]:
        made: dict[tuple[str, str, str, tuple[str, ...]], Finding] = {}
        for count, by_release in enumerate(self._shown.values()):
            one = self._finding(by_release, reduces=count < MOST_REDUCED)
            known = made.get(key := (one.operation, one.oracle, one.kind, one.releases))
            made[key] = one if known is None else msgspec.structs.replace(known, cases=known.cases + one.cases)
        order = {side.environment.mlx: k for k, side in enumerate(self.sides)}
        return sorted(
            made.values(), key=lambda one: (-max(order[name] for name in one.releases), one.operation, one.oracle)
        )

    def _finding(self, shown: dict[str, list[tuple[Case, Discrepancy]]], *, reduces: bool) -> Finding:
        """Reduce what one cause has shown, on the last release that shows it, and ask the others about the result."""
        release = [side.environment.mlx for side in self.sides if side.environment.mlx in shown][-1]
        case, found = min(shown[release], key=lambda pair: pair[0].size)
        original, releases = case.id, tuple(name for name in (s.environment.mlx for s in self.sides) if name in shown)
        why = accepted.reason(found)
        if reduces and not why and not self.stop.is_set() and found.oracle != "releases":
            self._told(f"reducing {found.operation}, {found.oracle}: {found.kind}")
            side = next(one for one in self.sides if one.environment.mlx == release)
            case, found = reduced(case, found, side)
            operation = " → ".join(step.function for step in case.steps)
            found = msgspec.structs.replace(found, operation=operation)
        return Finding(
            operation=found.operation,
            oracle=found.oracle,
            kind=found.kind,
            message=found.message,
            case=original,
            cases=max(len(pairs) for pairs in shown.values()),
            releases=releases,
            proved=found.proved,
            excess=found.excess,
            accepted=why,
            reduced=case,
            script=script(case, found),
        )
