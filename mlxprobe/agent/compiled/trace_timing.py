"""How long the calls of a compiled function take that are traced, against those that are replayed."""

from __future__ import annotations

import os
from typing import Any

from mlxprobe.agent.graph import lazy_graph
from mlxprobe.agent.graph.dataflow import LossGraph
from mlxprobe.agent.recording.recorder import Recorder
from mlxprobe.agent.wire import bound
from mlxprobe.protocol.facts.compilation import LongTrace

SLOW_S = 0.2
UNROLLED = 3000  # operations in a chain, that are told of however fast the machine is
DRAWN = 2  # traces: they differ in lengths
MANY = 1000  # operations, of which the longest chain is worth its search


class Pace:
    """Time the calls of one compiled function, and the evaluations until its next."""

    def __init__(self, recorder: Recorder, site: tuple[str, int]) -> None:
        self._recorder = recorder
        self._site = site
        self._began_s = self._evaluated_s = 0.0
        self._calls = self._traces = 0
        self._traced = False
        self._traced_s = self._evaluation_s = self._ours_s = self._ours_before_s = 0.0  # what counting took
        self._used_s = self._cpu_s = 0.0  # of processors: by all before, and for what was traced
        self._told = 0.0
        self._drawn = self._operations = self._chain = 0
        recorder.closing.append(self._close)

    def traced(self, outputs: list[Any]) -> None:
        """The function is being traced, and returns these: count what MLX has to compile."""
        if self._drawn >= DRAWN or not outputs:
            return
        began = bound.monotonic()
        self._drawn += 1
        text = lazy_graph.drawn(outputs)
        operations = text.count("shape=rectangle")
        self._operations = max(self._operations, operations)
        if operations >= MANY:
            self._drawn = DRAWN
            self._chain = LossGraph(text).longest()
        self._ours_s += bound.monotonic() - began

    @property
    def operations(self) -> int:
        """How many operations the largest trace had that was drawn."""
        return self._operations

    def begins(self, *, known: bool) -> None:
        """The program calls the function; whatever it evaluated since the call before belongs to that.

        One that is `known` is hardly traced: what was used up to it is then as it was before the last that was not.
        """
        if self._traced:
            self._settle()
        if not known:
            self._used_s = used_s()
        self._began_s, self._ours_before_s = bound.monotonic(), self._ours_s

    def ends(self, *, traced: bool) -> None:
        """The call has returned; nothing is evaluated yet."""
        self._calls += 1
        self._traced = traced
        if traced:
            self._evaluated_s = self._recorder.evaluation_s
            took_s = bound.monotonic() - self._began_s - (self._ours_s - self._ours_before_s)
            self._traces += 1
            self._traced_s += took_s
            self._use(took_s)

    def _settle(self) -> None:
        """The call before is over, with what was evaluated since."""
        if self._traced:
            evaluated_s = self._recorder.evaluation_s - self._evaluated_s
            self._evaluation_s += evaluated_s
            self._use(evaluated_s)
        self._traced = False
        if self._is_long() and self._traced_s + self._evaluation_s > self._told:
            self._tell()

    def _use(self, took_s: float) -> None:
        """Count of what was used since then what can belong to something that took so long: others use the machine."""
        before_s, self._used_s = self._used_s, used_s()
        self._cpu_s += min(self._used_s - before_s, took_s)

    def _is_long(self) -> bool:
        return self._chain >= UNROLLED or self._traced_s + self._evaluation_s > SLOW_S

    def _close(self) -> None:
        """Tell at the end how often the function was called after all."""
        self._settle()
        if self._told:
            self._tell()

    def _tell(self) -> None:
        self._told = 1.1 * (self._traced_s + self._evaluation_s)
        self._recorder.revise(
            LongTrace(
                seconds=self._traced_s,
                evaluation_s=self._evaluation_s,
                cpu_s=self._cpu_s,
                ours_s=self._ours_s,
                operations=self._operations,
                chain=self._chain,
                calls=self._calls,
                traces=self._traces,
            ),
            self._site,
        )


def used_s() -> float:
    """Return what this process has used of processors, and the compilers that it has started."""
    return sum(os.times()[:4])
