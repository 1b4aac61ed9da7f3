"""Looks at which the loss was zero, and all gradients too; and which of the data were zero at all of them."""

from __future__ import annotations

from typing import Any

from mlxprobe.agent.graph import lazy_graph
from mlxprobe.agent.inspectors.losses.loss_graph import is_amount, unique
from mlxprobe.agent.recording.gradient_call import Call
from mlxprobe.agent.sampling.dispatcher import Inspection
from mlxprobe.protocol.facts.gradients import NothingToLearn

AT_REST = 8  # looks
MOST, HELD_BYTES = 8, 1 << 20  # arrays of a call, and bytes of each


class Resting:
    """Count them, from the first on; whoever learns anything is none."""

    def __init__(self, inspection: Inspection) -> None:
        self._inspection = inspection
        self._looks = 0  # below 0 once it was otherwise
        self._data: list[tuple[str, Any]] = []
        self._zero: set[str] | None = None

    def called(self, call: Call) -> None:
        """Hold the data of a call, up to the end of its step, while nothing was ever learned."""
        if self._looks >= 0:
            amounts = [(name, one) for name, one in unique(call.data)[:MOST] if is_amount(one) and one.size > 1]
            self._data = [(name, one) for name, one in amounts if one.nbytes <= HELD_BYTES]

    def forget(self) -> None:
        """Let go of them."""
        self._data = []

    def look(self, *, rests: bool, data: list[tuple[str, Any]]) -> None:
        """Count one look more."""
        self._looks = self._looks + 1 if rests and self._looks >= 0 else -1
        if self._looks < 0:
            return
        known = [(name, one) for name, one in data if not self._inspection.pending([one])]
        sizes = lazy_graph.largest_each([one for _, one in known]) if known else []
        now = {name for (name, _), size in zip(known, sizes, strict=True) if size == 0}
        self._zero = now if self._zero is None else self._zero & now

    def take(self) -> list[tuple[str, Any]]:
        """Give what is held away."""
        data, self._data = self._data, []
        return data

    def finish(self, site: tuple[str, int]) -> None:
        """Tell of a run that had nothing to learn."""
        if self._looks >= AT_REST:
            zero = tuple(sorted(self._zero or ()))
            self._inspection.recorder.fact(NothingToLearn(looks=self._looks, zero=zero), site)
