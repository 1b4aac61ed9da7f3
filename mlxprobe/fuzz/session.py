"""Random programs on one release, or on two side by side: run, judge, reduce, count."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from itertools import groupby, islice

import msgspec

from mlxprobe.fuzz import known_differences
from mlxprobe.fuzz.batch import SIZE, Batches, Seen
from mlxprobe.fuzz.case import Case, program_of
from mlxprobe.fuzz.discrepancy import Discrepancy
from mlxprobe.fuzz.finding import FUZZ_SCHEMA_VERSION, Finding, FuzzReport
from mlxprobe.fuzz.finding_bisect import shown_by
from mlxprobe.fuzz.operations import coverage
from mlxprobe.fuzz.oracles import OTHER, Judge, between
from mlxprobe.fuzz.script import script
from mlxprobe.fuzz.shrink import Both, Reducing, Shown

Waiting = list[tuple[list[Case], list[Future[dict[str, Seen]]]]]
TURNS = 4  # batches that each worker gets at least, where there are as many programs
SHORT = 5  # programs of a batch, where it is a time that ends them
AHEAD = 1.5  # batches for each worker: while one is judged none of them is to wait
ENDS_WITHIN_S = 1.0  # of an interruption
MOST_REDUCED = 200  # causes; the others are told as they were found
ASKED = 4  # times: whether the first of two releases shows it too


def _unfinished(waiting: Waiting) -> list[Future[dict[str, Seen]]]:
    return [one for _, running in waiting for one in running if not one.done()]


def _is_absent(seen: Seen) -> bool:
    value = seen.get("value")
    return isinstance(value, dict) and "has no attribute" in value.get("error", "")


def _effort(shown: Shown) -> tuple[bool, tuple[int, ...]]:
    """Say which case is asked again first: a hang costs seconds each time, and a crash of the same cause nothing."""
    return shown[1].oracle == "hang", shown[0].size


class Fuzzing:
    """Run cases on every side, and keep for each cause the first case that showed it."""

    def __init__(self, sides: Sequence[Batches], jobs: int, told: Callable[[str], None] = lambda _: None) -> None:
        self.sides = sides
        self.stop = sides[0].stop
        self._jobs = jobs
        self._told = told
        self._shown: dict[tuple[str, str, str], dict[str, list[tuple[Case, Discrepancy]]]] = {}
        self._unsupported: dict[str, set[str]] = {}
        self._unrepeated: list[str] = []
        self._order: dict[str, int] = {}  # of cases, as they were drawn: batches come back in any other
        self._met: set[str] = set()
        self._ran: set[str] = set()
        self._compared: set[str] = set()
        self._cases = 0

    def run(self, cases: Iterable[Case], seed: int, programs: int | None, seconds: float | None) -> FuzzReport:
        """Run so many programs, or for so long, and return what they have shown."""
        began_s = time.monotonic()
        try:
            each = ([*group] for _, group in groupby(cases, lambda case: program_of(case.id)))
            self._run(each, programs, began_s + seconds if seconds else math.inf)
        except KeyboardInterrupt:
            self.stop.set()
        findings = self._all_findings()
        public = self.sides[-1].public
        return FuzzReport(
            schema_version=FUZZ_SCHEMA_VERSION,
            seed=seed,
            programs=len(self._ran),
            cases=self._cases,
            compared=len(self._compared),
            environments=tuple(side.environment for side in self.sides),
            names=tuple(side.name for side in self.sides),
            findings=tuple(findings),
            met=tuple(sorted(self._met.intersection(public))),
            unmet={name: coverage.reason(name) for name in public if name not in self._met},
            unsupported={name: tuple(sorted(told)) for name, told in sorted(self._unsupported.items())},
            unrepeated=(*self._unrepeated, *(one for side in self.sides for one in side.unrepeated)),
            complete=not self.stop.is_set(),
            wall_s=time.monotonic() - began_s,
        )

    def _run(self, left: Iterator[list[Case]], programs: int | None, until_s: float) -> None:
        """Keep every worker busy, and judge each batch once it has come back from all sides."""
        waiting: Waiting = []
        begun, size = 0, self._size(programs)
        pool = ThreadPoolExecutor(self._jobs)
        try:
            while not self.stop.is_set():
                while len(_unfinished(waiting)) < AHEAD * self._jobs and time.monotonic() < until_s:
                    count = size if programs is None else min(size, programs - begun)
                    if not (chosen := list(islice(left, count))):
                        break
                    begun += len(chosen)
                    batch = [case for program in chosen for case in program]
                    self._order |= {case.id: len(self._order) + k for k, case in enumerate(batch)}
                    waiting.append((batch, [pool.submit(side.run, batch) for side in self.sides]))
                if not waiting:
                    break
                back = next((row for row in waiting if all(one.done() for one in row[1])), None)
                if back is None:
                    wait(_unfinished(waiting), return_when=FIRST_COMPLETED)
                else:
                    waiting.remove(back)
                    self._judged(back[0], [one.result() for one in back[1]])
        except KeyboardInterrupt:
            self.stop.set()
            self._ended(waiting)
            raise
        finally:
            pool.shutdown(cancel_futures=True)

    def _size(self, programs: int | None) -> int:
        """Return how many programs a batch has: few enough that no worker computes when all others have nothing left.

        Where there is no number of programs but a time, a batch is to end soon after it.
        """
        width = max(1, self._jobs // len(self.sides))
        return max(1, min(SIZE, SHORT if programs is None else programs // (TURNS * width)))

    def _ended(self, waiting: Waiting) -> None:
        """Judge, of what an interruption has ended, what has come back within a moment."""
        until_s = time.monotonic() + ENDS_WITHIN_S
        for _, running in waiting:
            for one in running:
                one.cancel()
        wait(_unfinished(waiting), timeout=ENDS_WITHIN_S)
        for batch, running in waiting:
            if time.monotonic() < until_s and all(one.done() and not one.cancelled() for one in running):
                self._judged(batch, [one.result() for one in running])

    def _judged(self, cases: Sequence[Case], seen: Sequence[dict[str, Seen]]) -> None:
        for case in cases:
            if not all(case.id in each for each in seen):
                continue  # interrupted
            self._ran.add(program_of(case.id))
            self._cases += 1
            if any(_is_absent(each[case.id]) for each in seen):
                continue  # from one of the releases: they have nothing to be compared in
            if all("fate" not in each[case.id] for each in seen):
                self._compared.add(program_of(case.id))
            self._met |= {step.function for step in case.steps} | coverage.used(case)
            for side, each in zip(self.sides, seen, strict=True):
                self._judge(case, each[case.id], side.name)
            if len(seen) > 1:
                differ = between(case, seen[0][case.id], seen[-1][case.id], self.sides[0].name)
                self._take(differ, case, self.sides[-1].name)
        self._told(f"{len(self._ran)} programs, {len(self._shown)} causes")

    def _judge(self, case: Case, seen: Seen, release: str) -> None:
        judge = Judge(case, seen)
        self._take(judge.judge(), case, release)
        if judge.unsupported:
            self._unsupported.setdefault(case.operation, set()).update(judge.unsupported)

    def _take(self, found: Iterable[Discrepancy], case: Case, release: str) -> None:
        for one in found:
            self._shown.setdefault(one.cause, {}).setdefault(release, []).append((case, one))

    def _all_findings(self) -> list[Finding]:
        """Return the findings; as they are at that moment, where somebody interrupts."""
        with ThreadPoolExecutor(1) as pool:
            found = pool.submit(self._findings)
            try:
                return found.result()
            except KeyboardInterrupt:
                self.stop.set()
                return found.result()

    def _findings(self) -> list[Finding]:
        """Make what was shown smaller, on the last release that shows it, and put together what has become the same."""
        made: dict[tuple[str, str, str, tuple[str, ...]], Finding] = {}
        for rows in (rows for by_side in self._shown.values() for rows in by_side.values()):
            rows.sort(key=self._place)
        causes = sorted(self._shown.values(), key=lambda one: min(self._place(rows[0]) for rows in one.values()))
        shown = [[one for one in causes if self._last(one) == side.name] for side in self.sides]
        firsts = [
            [min(one[side.name], key=_effort) for one in mine] for side, mine in zip(self.sides, shown, strict=True)
        ]
        with ThreadPoolExecutor(len(self.sides)) as pool:
            smaller = list(pool.map(self._smaller, self.sides, firsts))
        for side, mine, cases, smalls in zip(self.sides, shown, firsts, smaller, strict=True):
            for by_side, first, small in zip(mine, cases, smalls, strict=True):
                if small is None:
                    self._unrepeated.append(f"{first[0].id}: {first[1].oracle}, {first[1].message}")
                    continue
                one = self._finding(by_side, first, small, side.name)
                known = made.get(key := (one.operation, one.oracle, one.kind, one.releases))
                made[key] = one if known is None else msgspec.structs.replace(known, cases=known.cases + one.cases)
        order = {side.name: k for k, side in enumerate(self.sides)}
        found = self._everywhere([*made.values()])
        return sorted(found, key=lambda one: (-max(order[name] for name in one.releases), one.operation, one.oracle))

    def _everywhere(self, findings: Sequence[Finding]) -> list[Finding]:
        """Ask the other side for the smallest case as well: what one side has shown alone may be chance.

        What would be a regression is asked for several times: memory that nobody has written holds something else at
        each run.
        """
        found = list(findings)
        for side in [one for one in self.sides[:-1] for _ in range(ASKED)] + list(self.sides[-1:]):
            alone = [k for k, one in enumerate(found) if side.name not in one.releases and one.reduced and one.proved]
            if self.stop.is_set() or not alone:
                continue
            self._told(f"asking mlx {side.name} for {len(alone)} findings that it has not shown")
            for k, too in zip(alone, shown_by(side, [found[k] for k in alone]), strict=True):
                names = {*found[k].releases, *[side.name] * too}
                there = tuple(one.name for one in self.sides if one.name in names)
                found[k] = msgspec.structs.replace(found[k], releases=there)
        return found

    def _place(self, shown: Shown) -> int:
        return self._order[shown[0].id]

    def _last(self, by_side: Mapping[str, object]) -> str:
        return [side.name for side in self.sides if side.name in by_side][-1]

    def _smaller(self, side: Batches, cases: Sequence[Shown]) -> list[Shown | None]:
        """Reduce what one side has shown, or both together where they only differ; what is accepted stays as it is."""
        few = [k for k, (_, one) in enumerate(cases) if not known_differences.reason(one)][:MOST_REDUCED]
        few = [] if self.stop.is_set() else few
        found: dict[int, Shown | None] = {}
        for batches, differ in ((side, False), (Both(self.sides[0], side), True)):
            if mine := [k for k in few if (cases[k][1].oracle == OTHER) is differ]:
                smaller = Reducing(batches, self._told).reduced([cases[k] for k in mine])
                found |= dict(zip(mine, smaller, strict=True))
        return [found.get(k, one) for k, one in enumerate(cases)]

    def _finding(self, by_side: Mapping[str, Sequence[Shown]], first: Shown, small: Shown, side: str) -> Finding:
        case, found = small
        return Finding(
            operation=found.operation if small is first else " → ".join(step.function for step in case.steps),
            others=tuple(sorted({one.operation for _, one in by_side[side]} - {case.operation})),
            oracle=found.oracle,
            kind=found.kind,
            message=found.message,
            case=first[0].id,
            cases=max(len(pairs) for pairs in by_side.values()),
            releases=tuple(one.name for one in self.sides if one.name in by_side),
            proved=found.proved,
            excess=found.excess,
            accepted=known_differences.reason(first[1]),
            reduced=case,
            script=script(case, found),
            asks=found.asks,
        )
