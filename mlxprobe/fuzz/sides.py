"""What random programs show on two releases, as a gate judges it: the new is a regression, what is gone is fixed."""

from __future__ import annotations

from mlxprobe.fuzz.case import program_of
from mlxprobe.fuzz.finding import Finding, FuzzReport
from mlxprobe.upgrade.diff import Change, Comparison, Difference


def comparisons(report: FuzzReport) -> list[Comparison]:
    """Return a row per program with what one side alone shows, and one for all other programs.

    What only differs between releases, and no reference tells who is right, is a change and stops no upgrade.
    """
    rows = [one for one in report.findings if not one.accepted and len(one.releases) == 1]
    by_case: dict[str, list[Difference]] = {}
    for one in rows:
        by_case.setdefault(one.case, []).append(_difference(one, report.names[-1]))
    found = [Comparison(program=f"random/{case}", differences=tuple(told)) for case, told in by_case.items()]
    others = f"random/{report.programs - len({*map(program_of, by_case)})} other programs"
    silent = Difference(what="outcome", change=Change.CANNOT_TELL, text=report.problem)
    return [*found, Comparison(program=others, differences=(silent,) * bool(report.problem))]


def _difference(one: Finding, candidate: str) -> Difference:
    here = candidate in one.releases
    change = Change.FIXED if not here else Change.REGRESSION if one.proved else Change.CHANGED
    return Difference(what=f"{one.oracle}: {one.kind}", change=change, text=f"{one.operation}: {one.message}")
