"""Between which releases each finding holds: all of them are bisected together, a release at a time."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import msgspec

from mlxprobe.fuzz.batch import Batches, Seen
from mlxprobe.fuzz.case import Case
from mlxprobe.fuzz.discrepancy import FATAL, ROUGH
from mlxprobe.fuzz.finding import Finding, Range
from mlxprobe.fuzz.oracles import OTHER, Judge
from mlxprobe.schema.errors import BrokenReleaseError, NoWheelError, UnmetRequirementError
from mlxprobe.upgrade.bisect_search import Answer, Bisection

ASKED = 2  # times that a release is asked before it is said not to show something


class Ranges:
    """Look for the releases between which findings come and go.

    Args:
        releases: their names, the oldest first.
        batches: makes what runs cases on one of them.
        told: is told of every release that is asked.
    """

    def __init__(
        self, releases: Sequence[str], batches: Callable[[str], Batches], told: Callable[[str], None] = lambda _: None
    ) -> None:
        self.releases = list(releases)
        self._batches, self._told = batches, told
        self._shown: dict[str, list[bool] | None] = {}

    def of(self, findings: Sequence[Finding]) -> list[Finding]:
        """Return the findings with their ranges.

        Without one are those that only differ between releases, and what has not been shown again.
        """
        self._findings = [one for one in findings if one.reduced and one.oracle != OTHER and not one.accepted]
        ranges = {id(one): self._range(k, one) for k, one in enumerate(self._findings)}
        return [msgspec.structs.replace(one, holds=ranges.get(id(one))) for one in findings]

    def _range(self, number: int, finding: Finding) -> Range | None:
        """Search downwards from a release that shows a finding for its first one, upwards for the first without it."""
        if (here := finding.releases[-1]) not in self.releases or self._ask(number, here) is not Answer.BAD:
            return None
        place, last = self.releases.index(here), len(self.releases) - 1
        found = Range(oldest=self.releases[0])
        if self._ask(number, self.releases[0]) is Answer.GOOD:
            first = self._searched(number, self.releases[: place + 1], find_fix=False)
            found = msgspec.structs.replace(found, since=first.first, unclear=first.unclear)
        if place < last and self._ask(number, self.releases[last]) is Answer.GOOD:
            gone = self._searched(number, self.releases[place:], find_fix=True)
            found = msgspec.structs.replace(found, gone=gone.first, unclear=(*found.unclear, *gone.unclear))
        return found

    def _searched(self, number: int, releases: Sequence[str], *, find_fix: bool) -> Bisection:
        search = Bisection(releases, find_fix=find_fix)
        search.search(lambda name: self._ask(number, name))
        return search

    def _ask(self, number: int, release: str) -> Answer:
        if release not in self._shown:
            self._shown[release] = self._asked(release)
        shown = self._shown[release]
        return Answer.SKIP if shown is None else Answer.BAD if shown[number] else Answer.GOOD

    def _asked(self, release: str) -> list[bool] | None:
        """Run all findings' cases on a release; None where it cannot be."""
        self._told(f"mlx {release}: {len(self._findings)} findings")
        try:
            batches = self._batches(release)
        except (NoWheelError, UnmetRequirementError, BrokenReleaseError) as error:
            self._told(f"mlx {release}: skipped: {error}")
            return None
        return shown_by(batches, self._findings)


def shown_by(batches: Batches, findings: Sequence[Finding]) -> list[bool]:
    """Tell which findings a release shows too; what it does not is asked a second time, for it may be chance."""
    cases = [
        msgspec.structs.replace(one.reduced, id=f"{one.case.partition('/')[0]}/b{k}")
        for k, one in enumerate(findings) if one.reduced
    ]  # fmt: skip
    shown = [False] * len(cases)
    for _ in range(ASKED):
        left = [k for k, known in enumerate(shown) if not known]
        seen = batches.spread([cases[k] for k in left], {cases[k].id: findings[k].asks for k in left}) if left else {}
        for k in left:
            shown[k] = cases[k].id in seen and shows(cases[k], seen[cases[k].id], findings[k])
    return shown


def shows(case: Case, seen: Seen, finding: Finding) -> bool:
    """Return whether an oracle fails; how may differ from release to release, but wrong is not the same as rough."""
    alike = FATAL if finding.oracle in FATAL else (finding.oracle,)
    found = [one for one in Judge(case, seen).judge() if one.oracle in alike]
    return any((one.kind == ROUGH) == (finding.kind == ROUGH) for one in found)
