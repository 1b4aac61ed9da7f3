"""Results that the program drops, of functions that change nothing in place."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from types import CodeType
from typing import Any

from mlxprobe.agent.introspection.discarded_results import Lost, dies, losing, numbers
from mlxprobe.agent.patching.signatures import like
from mlxprobe.agent.patching.temporary_patches import Loans
from mlxprobe.agent.recording.gradient_call import Call
from mlxprobe.agent.sampling.dispatcher import Inspection
from mlxprobe.agent.sampling.inspector import Inspector
from mlxprobe.protocol.facts.work import ResultDropped

FUNCTIONS = ("clip", "where", "maximum", "minimum", "add", "subtract", "multiply", "divide", "put_along_axis", "sort")
AT = ("add", "subtract", "multiply", "divide", "maximum", "minimum")
STORED = 16


class Dropped(Inspector):
    """Hear of what ports of other frameworks mean to change in place, while a step is looked at."""

    emits = (ResultDropped,)

    def __init__(self, inspection: Inspection) -> None:
        super().__init__(inspection)
        self._loans = Loans()
        self._stored: dict[tuple[CodeType, int], tuple[Lost, str]] = {}  # calls that end a round of a loop
        self._known: set[tuple[CodeType, int]] = set()  # those that were looked at

    def calling(self) -> None:
        if self._loans.names:
            return
        import mlx.core as mx

        numbers()  # while nothing is followed
        for name in FUNCTIONS:
            self._loans.replace(mx, name, partial(self._heard, f"mx.{name}"))
        for name in AT:
            self._loans.replace(type(mx.array(0).at), name, partial(self._heard, f"at[…].{name}"))

    def calling_in_trace(self) -> None:
        self.calling()

    def called_in_trace(self, call: Call) -> None:
        self._loans.give_back()

    def _heard(self, name: str, original: Callable[..., Any]) -> Callable[..., Any]:
        @like(original)
        def call(*args: Any, **kwargs: Any) -> Any:
            if not self.inspection.busy:
                self._hear(name)
            return original(*args, **kwargs)

        return call

    def _hear(self, name: str) -> None:
        lost = losing()
        if lost is not None and lost.at < 0:
            self.inspection.recorder.fact(ResultDropped(of=name), lost.site)
        elif lost is not None and len(self._stored) < STORED:
            self._stored.setdefault((lost.code, lost.at), (lost, name))

    def look(self, step: int) -> None:
        self._loans.give_back()
        for key, (lost, name) in self._stored.items():
            if key not in self._known and dies(*key):
                self.inspection.recorder.fact(ResultDropped(of=name), lost.site)
        self._known |= self._stored.keys()

    def forget(self) -> None:
        self._loans.give_back()
