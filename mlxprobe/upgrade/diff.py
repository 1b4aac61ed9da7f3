"""The values of a comparison: changes, differences, and all differences of a program."""

from __future__ import annotations

from collections.abc import Iterable

from mlxprobe.schema.enums import Word
from mlxprobe.schema.observation import Value

IMPORT = "import mlx.core"  # in place of every program where a candidate does not import


class Change(Word):
    """The change from the baseline to the candidate."""

    REGRESSION = "regression"
    CANNOT_TELL = "cannot tell"
    CHANGED = "changed"
    FIXED = "fixed"
    SAME = "same"


class Difference(Value, frozen=True):
    """A difference in one aspect (`outcome`, `finding`, `loss`, `error`, `peak`, `memory`, `time`), with the reason.

    `advice` marks what cannot decide, because the two sides were not measured on one machine. `suspected` marks a
    difference that too few runs have shown.
    """

    what: str
    change: Change
    text: str
    advice: bool = False
    suspected: bool = False


class Comparison(Value, frozen=True):
    """All differences of one program, and the gravest of them."""

    program: str
    differences: tuple[Difference, ...] = ()
    allowed: str = ""

    @property
    def change(self) -> Change:
        """The gravest change that is neither advice nor merely suspected."""
        certain = {one.change for one in self.differences if not one.advice and not one.suspected}
        return next((change for change in Change if change in certain), Change.SAME)

    @property
    def suspected(self) -> bool:
        """Whether further runs could change the answer."""
        return any(one.suspected for one in self.differences)


def regressions(comparisons: Iterable[Comparison]) -> list[Comparison]:
    """Return the regressions that must stop an upgrade: those without an allowance."""
    return [one for one in comparisons if one.change is Change.REGRESSION and not one.allowed]
