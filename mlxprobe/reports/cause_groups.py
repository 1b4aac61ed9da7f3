"""What is told of findings: each cause with what follows from it, the gravest first, and what was not checked: pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

from mlxprobe.schema.enums import Severity
from mlxprobe.schema.metrics import counted
from mlxprobe.schema.record import Finding, ProgramRecord

ORDER = list(Severity)
FEW = 2  # reasons that are told beside the commonest
MANY = 5  # codes, of which only their number is told beyond

Family = tuple[Finding, list[tuple[int, Finding]]]  # a cause, and what follows from it, how far


def ordered(findings: Iterable[Finding]) -> list[Finding]:
    """Return what was found, the gravest first, then by file and line."""
    return sorted(findings, key=lambda one: (ORDER.index(one.severity), one.file, one.line, one.code))


def families(findings: Iterable[Finding]) -> list[Family]:
    """Return the causes in the order of the gravest that follows from each, with that."""
    found = ordered(findings)
    first: dict[str, list[int]] = {}  # the first two findings of each code
    for k, one in enumerate(found):
        first.setdefault(one.code, []).append(k)
    causes = [next((k for k in first.get(one.follows, ())[:2] if found[k] is not one), None) for one in found]
    following: dict[int | None, list[int]] = {}
    for k, cause in enumerate(causes):
        following.setdefault(cause, []).append(k)
    told = [(found[k], list(_following(k, found, following))) for k in following.get(None, ())]
    return sorted(told, key=lambda family: min(ORDER.index(one.severity) for one in _members(family)))


def _members(family: Family) -> list[Finding]:
    return [family[0], *(one for _, one in family[1])]


def cause_among(one: Finding, found: list[Finding]) -> Finding | None:
    """Return the first finding that another follows from; None where it was left out."""
    return next((other for other in found if other.code == one.follows and other is not one), None)


def _following(
    cause: int, found: list[Finding], following: Mapping[int | None, Sequence[int]]
) -> Iterator[tuple[int, Finding]]:
    """Yield the findings that follow from one, each after its cause, with their distance."""
    left = [(1, k) for k in reversed(following.get(cause, ()))]
    while left:
        depth, here = left.pop()
        yield depth, found[here]
        left += [(depth + 1, k) for k in reversed(following.get(here, ()))]


def unchecked(row: ProgramRecord) -> list[str]:
    """Say in two lines at most which rules could not be judged, and why: the commonest reason first.

    Rules that found something elsewhere in the run are left out.
    """
    reasons: dict[str, list[str]] = {}
    found = {one.code for one in row.findings}
    for one in row.unchecked:
        if one.code not in found:
            codes = reasons.setdefault(one.why, [])
            codes += [one.code] * (one.code not in codes)
    if not reasons:
        return []
    first, *rest = sorted(reasons, key=lambda why: -len(reasons[why]))
    others = sorted({code for why in rest for code in reasons[why]})
    left = [f"and {counted(len(rest) - FEW, 'other reason')}"] * (len(rest) > FEW)
    more = [_not_checked(others, "; ".join([*rest[:FEW], *left]))] if rest else []
    return [_not_checked(reasons[first], first), *more]


def _not_checked(codes: list[str], why: str) -> str:
    shown = ", ".join(codes) if len(codes) <= MANY else f"{len(codes)} codes"
    return f"not checked: {shown}{f' ({why})' if why else ''}"
