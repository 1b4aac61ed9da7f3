"""Random programs keep every worker busy, and an interrupt ends them at once."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

import msgspec
import pytest
from making import HERE
from watching import GUARD_S

from mlxprobe.cluster.executor import Here
from mlxprobe.fuzz.batch import Batches, Seen
from mlxprobe.fuzz.case import CALLS, Case
from mlxprobe.fuzz.discrepancy import Discrepancy
from mlxprobe.fuzz.generate import case_of
from mlxprobe.fuzz.session import Fuzzing
from mlxprobe.fuzz.shrink import Reducing
from mlxprobe.settings.table import resolve

ONE = case_of("sin", 0, 0)
WRONG = {"error": "ValueError: wrong"}


def drawn(programs: int) -> Iterator[Case]:
    """Yield programs that cost nothing to draw."""
    return (msgspec.structs.replace(ONE, id=f"sin:0:{k}") for k in range(programs * CALLS))


def short(programs: int) -> Iterator[Case]:
    """Yield programs of one case each."""
    return (msgspec.structs.replace(ONE, id=f"train.sin:0:{k}") for k in range(programs))


class Side(Batches):
    """A side on which every case has a result; what it was asked to run is kept."""

    def __init__(self, jobs: int, name: str = "", place: Here | None = None) -> None:
        super().__init__(HERE, place or Here(replace(resolve({}), jobs=jobs)), name)
        self.asked: list[list[str]] = []
        self.lock = threading.Lock()

    def run(self, cases: Sequence[Case], asked: Mapping[str, str] = {}) -> dict[str, Seen]:
        with self.lock:
            self.asked.append([one.id for one in cases])
        self.meet(cases)
        return {one.id: self.seen(one) for one in cases}

    def meet(self, cases: Sequence[Case]) -> None:
        """Do what takes time."""

    def seen(self, case: Case) -> Seen:
        return {}


def test_a_batch_that_takes_long_keeps_no_other_from_being_run() -> None:
    class Held(Side):
        """The first batch ends when all others have."""

        def meet(self, cases: Sequence[Case]) -> None:
            with self.lock:
                done = sum(map(len, self.asked))
            if any(one.id == "train.sin:0:0" for one in cases):
                waited.append(held.wait(GUARD_S / 60))
            elif done == 120:
                held.set()

    held, side = threading.Event(), Held(2)
    waited: list[bool] = []
    report = Fuzzing([side], 2).run(short(120), 0, 120, None)
    assert waited == [True]
    assert report.programs == report.cases == 120


@pytest.mark.parametrize(("jobs", "sides", "programs"), [(24, 2, 361), (24, 1, 361), (2, 1, 60), (32, 1, 20)])
def test_no_batch_is_so_large_that_one_worker_computes_alone_at_the_end(jobs: int, sides: int, programs: int) -> None:
    place = Here(replace(resolve({}), jobs=jobs))
    both = [Side(jobs, name, place) for name in ("0.1", "0.2")[:sides]]
    Fuzzing(both, jobs).run(short(programs), 0, programs, None)
    for side in both:
        sizes = [len(batch) for batch in side.asked]
        assert sum(sizes) == programs
        assert max(sizes) <= max(1, programs * sides / jobs / 3)


def test_attempts_to_make_findings_smaller_are_spread_over_all_workers() -> None:
    class Together(Side):
        """In the first round as many processes run at once as there are workers."""

        def meet(self, cases: Sequence[Case]) -> None:
            if "." in cases[0].id and not met:
                meeting.wait(GUARD_S / 60)
                met.append(True)

        def seen(self, case: Case) -> Seen:
            return {"value": WRONG}

    side, meeting = Together(4), threading.Barrier(4)
    met: list[bool] = []
    cases = [case_of("sin", 0, k) for k in range(40)]
    shown = [
        (one, Discrepancy(case=one.id, operation="sin", oracle="value", kind="raises", message="")) for one in cases
    ]
    assert all(Reducing(side, lambda _: None).reduced(shown))
    assert met


def test_the_same_is_found_in_whatever_order_batches_come_back() -> None:
    class Late(Side):
        """The batch that is given comes last."""

        last = ""
        left = 8 * CALLS

        def meet(self, cases: Sequence[Case]) -> None:
            if any(one.id == self.last for one in cases):
                others.wait(GUARD_S / 60)
            else:
                self.left -= len(cases)
                if self.left <= CALLS:
                    others.set()

        def seen(self, case: Case) -> Seen:
            return {"value": WRONG}

    found = []
    for last in ("sin:0:0", "sin:0:84"):
        others, side = threading.Event(), Late(2)
        side.last = last
        fuzzing = Fuzzing([side], 2)
        fuzzing._run(([*drawn(8)][k : k + CALLS] for k in range(0, 8 * CALLS, CALLS)), 8, float("inf"))
        fuzzing.stop.set()  # as they were found
        found.append(fuzzing._findings())
    assert found[0] == found[1] and [one.case for one in found[0]] == ["sin:0:0"]


def test_an_interrupt_keeps_what_has_come_back_and_starts_nothing() -> None:
    class Counted(Side):
        def _once(self, cases: Sequence[Case], asked: object = None) -> tuple[dict[str, Seen], Seen]:
            started.append(self.stop.is_set())
            self.stop.wait(GUARD_S / 60 if len(started) > 4 else 0)  # they run until they are killed
            return ({one.id: {"value": WRONG} for one in cases} if len(started) <= 4 else {}), {}

        run = Batches.run

    def told(text: str) -> None:
        if text.startswith("4 programs") and not side.stop.is_set():
            signal.raise_signal(signal.SIGINT)

    started: list[bool] = []
    side = Counted(4)
    report = Fuzzing([side], 4, told).run(drawn(50), 0, 16, None)
    assert not report.complete and report.programs == 4
    assert [one.oracle for one in report.findings] == ["value"]
    assert len(started) <= 4 + 4 + 2 and not any(started)


def test_an_interrupt_while_findings_are_made_smaller_keeps_them() -> None:
    class Slow(Side):
        def meet(self, cases: Sequence[Case]) -> None:
            if "/" in cases[0].id:
                signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)
                ended.append(self.stop.wait(GUARD_S / 60))

        def seen(self, case: Case) -> Seen:
            return {"value": WRONG}

    side, ended = Slow(2), list[bool]()
    report = Fuzzing([side], 2).run(drawn(2), 0, 2, None)
    assert ended == [True]
    assert not report.complete and report.programs == 2
    assert [one.case for one in report.findings] == ["sin:0:0"]
