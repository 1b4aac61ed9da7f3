"""How one thing stands to another: the values that a comparison is made of."""

from __future__ import annotations

from collections.abc import Iterable

from mlxprobe.schema.enums import Word
from mlxprobe.schema.observation import Value

IMPORT = "import mlx.core"  # stands for every program where a candidate does not import


class Change(Word):
    """How the candidate stands to the baseline."""

    REGRESSION = "regression"
    CANNOT_TELL = "cannot tell"
    CHANGED = "changed"
    FIXED = "fixed"
    SAME = "same"


class Difference(Value, frozen=True):
    """One thing that differs: what (`outcome`, `finding`, `loss`, `error`, `peak`, `memory`, `time`), how, and why.

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
    """Return what must stop an upgrade: regressions that nobody allowed."""
    return [one for one in comparisons if one.change is Change.REGRESSION and not one.allowed]
