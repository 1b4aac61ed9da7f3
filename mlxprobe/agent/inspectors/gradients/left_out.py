"""Gradient calls that updates leave out, by an optimizer or by hand."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from mlxprobe.agent.sampling.gradient_ledger import Computed
from mlxprobe.agent.sampling.sketches import Sketch

LAST_IS_SURE = 3  # updates in a row that took the last of several equal calls alone


class LeftOut:
    """Follow how many of its calls each update takes."""

    def __init__(self) -> None:
        self.usual = 0  # calls of an update that took all of them
        self._last = 0, 0, 0  # calls of an update that took the last of them alone, how many, and such updates in a row

    @property
    def awaits(self) -> bool:
        """Whether the next updates may leave calls out."""
        return self.usual > 1 or self._last[2] > 0

    def taken(
        self,
        made: tuple[int, float] | None,
        calls: Sequence[Computed],
        read: Sequence[Sketch],
        at_rest: Callable[[], bool] = lambda: True,
    ) -> int:
        """Return how many of its last calls an update takes, where it leaves out others for sure; else 0.

        It takes as many as usual; or the last of as many calls as always, all at the same weights and of one kind. The
        gradients of those left out may never have been computed: only some calls are `read`.
        """
        every, taken = len(calls), made[0] if made is not None else 0
        alike = all(one.kind == calls[0].kind for one in calls) and len({one.values for one in read}) == len(read)
        times = self._last[2] if self._last[:2] == (every, taken) else 0
        same = 0 < taken < every and alike and at_rest()
        self._last = (every, taken, times + 1) if same else (0, 0, 0)
        if taken == every and all(one.code is calls[0].code for one in calls):  # a sum of tasks is meant
            self.usual = every
        return taken if self._last[2] >= LAST_IS_SURE or 0 < taken == self.usual < every else 0
