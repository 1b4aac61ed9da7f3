"""What random programs have shown: a finding for each cause, and the report of a run."""

from __future__ import annotations

from mlxprobe.fuzz.case import Case
from mlxprobe.schema.observation import Environment, Value

FUZZ_SCHEMA_VERSION = 2


class Range(Value, frozen=True):
    """The releases on which a finding holds.

    Args:
        oldest: the oldest release that was asked.
        since: the first one that shows it; empty where the oldest does.
        gone: the first one after those that does not show it any more; empty where the newest does.
        unclear: releases beside a boundary that could not be asked.
    """

    oldest: str
    since: str = ""
    gone: str = ""
    unclear: tuple[str, ...] = ()

    def __str__(self) -> str:
        words = [f"since {self.since}" if self.since else f"on {self.oldest} already"]
        words += [f"gone in {self.gone}"] * bool(self.gone)
        words += [f"not asked: {', '.join(self.unclear)}"] * bool(self.unclear)
        return ", ".join(words)


class Finding(Value, frozen=True):
    """One cause: which operation, which oracle, how; the smallest case that shows it, and on which releases."""

    operation: str
    oracle: str
    kind: str
    message: str
    case: str
    cases: int
    releases: tuple[str, ...]
    others: tuple[str, ...] = ()
    proved: bool = True
    excess: float = 0.0
    accepted: str = ""
    reduced: Case | None = None
    script: str = ""
    holds: Range | None = None
    asks: str = ""


class FuzzReport(Value, frozen=True):
    """What random programs have shown, the last release's findings and those of the one before it.

    `compared` counts the programs that gave an outcome on every side.
    """

    schema_version: int
    seed: int
    programs: int
    environments: tuple[Environment, ...]
    names: tuple[str, ...]
    findings: tuple[Finding, ...]
    met: tuple[str, ...] = ()
    unmet: dict[str, str] = {}
    unsupported: dict[str, tuple[str, ...]] = {}
    unrepeated: tuple[str, ...] = ()
    complete: bool = True
    wall_s: float = 0.0
    cases: int = 0
    compared: int = 0

    @property
    def problem(self) -> str:
        """The reason that two sides were not compared; empty where they were, or where one shows something new."""
        if len(self.environments) == 1 or self.compared or self.new:
            return ""
        return f"none of {self.programs} random programs gave an outcome on both sides"

    @property
    def new(self) -> list[Finding]:
        """What the release that is judged shows, and the one before it did not; all, where there is no other."""
        last = self.names[-1]
        alone = len(self.environments) == 1
        told = [one for one in self.findings if last in one.releases and not one.accepted]
        return [one for one in told if alone or one.releases == (last,)]
