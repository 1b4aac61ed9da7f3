"""Find the first release that shows a behaviour: pure search over an oracle."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from mlxprobe.schema.enums import Word
from mlxprobe.schema.errors import ProbeError


class Answer(Word):
    """The oracle's answer for one release."""

    GOOD = "good"
    BAD = "bad"
    SKIP = "skip"


Oracle = Callable[[str], Answer]


class BoundaryError(ProbeError):
    """The ends do not answer as they were called."""


@dataclass
class Bisection:
    """The state of a search. `answers` may hold cached ones from before; `probes` counts the oracle's calls.

    `first` is the first bad release (with `find_fix` the first good one) once it is found, `unclear` the skipped
    releases right before it, any of which may be the first one instead.
    """

    releases: Sequence[str]
    answers: dict[str, Answer] = field(default_factory=dict)
    find_fix: bool = False
    probes: int = 0
    first: str = ""
    unclear: tuple[str, ...] = ()

    def search(self, oracle: Oracle) -> None:
        """Confirm both ends, then halve.

        Raises:
            BoundaryError: the oldest release is not good, or the newest not bad; with `find_fix` the other way round.
        """
        low, high = 0, len(self.releases) - 1
        before, after = (Answer.BAD, Answer.GOOD) if self.find_fix else (Answer.GOOD, Answer.BAD)
        for end, right in ((low, before), (high, after)):
            if (answer := self._ask(oracle, end)) is not right:
                raise BoundaryError(f"mlx {self.releases[end]} is {answer}, not {right}: choose another end")
        while (middle := self._middle(low, high)) is not None:
            answer = self._ask(oracle, middle)
            if answer is before:
                low = middle
            elif answer is after:
                high = middle
        self.first, self.unclear = self.releases[high], tuple(self.releases[low + 1 : high])

    def _ask(self, oracle: Oracle, place: int) -> Answer:
        release = self.releases[place]
        if release not in self.answers:
            self.answers[release] = oracle(release)
            self.probes += 1
        return self.answers[release]

    def _middle(self, low: int, high: int) -> int | None:
        """Return the place nearest to the middle that was not skipped; None where none is left."""
        open_ = [k for k in range(low + 1, high) if self.answers.get(self.releases[k]) is not Answer.SKIP]
        return min(open_, key=lambda k: abs(2 * k - low - high), default=None)
