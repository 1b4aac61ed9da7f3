"""Which rank is behind, and where the others wait for it, while a program runs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from mlxprobe.diagnosis.ranks.collective_alignment import WORLD
from mlxprobe.diagnosis.ranks.rank_status import line, named
from mlxprobe.schema.from_record import jobs

if TYPE_CHECKING:
    from mlxprobe.schema.observation import Collective
    from mlxprobe.supervisor.event_log import EventLog

WAITS_S = 2.0  # in one evaluation: less is every step's
LAGS_S = 5.0  # without a break
LAG_STEPS, LAG_SHARE = 2, 0.1  # ranks that have nothing to do with one another drift apart; those that meet do not


class RankLag:
    """Look at the ranks again and again, and say which of them keeps the others back."""

    def __init__(self) -> None:
        self._lags: tuple[list[int], float] = [], 0.0  # which ranks, and since when

    def told(self, programs: Sequence[EventLog], now_s: float) -> str:
        """Say which ranks are behind, or wait in different collectives; nothing where all goes well, or there is one.

        Args:
            programs: the logs of the ranks.
            now_s: the time since the program's start.
        """
        if waiting(programs, now_s, WAITS_S):
            self._lags = [], 0.0
            return held_up(programs, now_s, WAITS_S)
        going = list(filter(_goes_on, programs))
        return self._lagging(going, now_s) if len(_ranks(programs)) > 1 and going else ""

    def _lagging(self, going: Sequence[EventLog], now_s: float) -> str:
        """Say which ranks make fewer steps than the others, for a while."""
        most = max(log.step for log in going)
        late = [log for log in going if 0 < log.step < most - max(LAG_STEPS, LAG_SHARE * most)]
        names = [log.process.rank for log in late]
        if names != self._lags[0]:
            self._lags = names, now_s
        if not late or now_s - self._lags[1] < LAGS_S:
            return ""
        return f"{_named(late)} {_are(late)} behind: step {min(log.step for log in late)} of {most}"


def held_up(programs: Sequence[EventLog], now_s: float, waits_s: float) -> str:
    """Say who is behind where ranks have waited for longer than some seconds in an evaluation; else nothing."""
    ranks, waits = _ranks(programs), waiting(programs, now_s, waits_s)
    if len(ranks) < 2 or not waits:
        return ""
    since = f"{min(waited_s(log, now_s) for log in waits):.0f} s"
    first = max(waits, key=lambda log: log.awaited.n if log.awaited else 0)
    if late := _late(ranks, waits, first.awaited):
        others = [log for log in waits if log not in late]
        verb = "waits" if len(others) == 1 else "wait"
        return f"{_named(late)} {_are(late)} behind: {_named(others)} {verb} {since} in {_at(first.awaited)}"
    return _apart(waits, since)


def waiting(programs: Sequence[EventLog], now_s: float, waits_s: float) -> list[EventLog]:
    """List the ranks that have waited for longer than some seconds, in an evaluation that may hold a collective."""
    return [log for log in _ranks(programs) if _goes_on(log) and waited_s(log, now_s) > waits_s and log.awaited]


def _ranks(programs: Sequence[EventLog]) -> list[EventLog]:
    """List the ranks of the run that began last."""
    return (jobs(programs) or [[]])[-1]


def _goes_on(log: EventLog) -> bool:
    return log.process.rank >= 0 and log.begun and not log.finished and log.status is None


def waited_s(log: EventLog, now_s: float) -> float:
    """Return for how long a rank has stood in one evaluation; an evaluation that was told is over once it moves on."""
    return 0.0 if log.evaluating_s is None else now_s - max(log.evaluating_s, log.progress_s)


def _late(ranks: Sequence[EventLog], waits: Sequence[EventLog], one: Collective | None) -> list[EventLog]:
    """Return whose turn it is: the other end of a message; who has not built a collective, else who waits for none."""
    if one is None:
        return []
    if one.peer >= 0:
        return [log for log in ranks if log.process.rank == one.peer and one.group == WORLD and log not in waits]
    members = [log for log in ranks if one.group in (WORLD, *log.built)]
    fewer = [log for log in members if log.built.get(one.group, 0) < one.n]
    return fewer or [log for log in members if log not in waits]


def _apart(waits: Sequence[EventLog], since: str) -> str:
    """Say where ranks wait that have built as many, where that is not the same."""
    places: dict[str, list[EventLog]] = {}
    for log in waits:
        places.setdefault(_at(log.awaited), []).append(log)
    told = "; ".join(f"{_named(logs)} in {at}" for at, logs in places.items())
    return f"ranks wait {since} apart: {told}" if len(places) > 1 else ""


def _named(logs: Sequence[EventLog]) -> str:
    return named(log.process.rank for log in logs)


def _are(logs: Sequence[EventLog]) -> str:
    return "is" if len(logs) == 1 else "are"


def _at(one: Collective | None) -> str:
    return f"{one.n} {one.operation} ({line(one)})" if one else "an evaluation"
