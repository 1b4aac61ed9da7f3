"""Run a compiled function's own Python once more, eagerly, before a call of it: then its inside can be looked at.

State, arguments and random numbers are lent to it as other handles of the same arrays, and put back. What such a run
costs is paid from the inspection's share of time; functions whose second call could show are left alone.
"""

from __future__ import annotations

import math
import os
from collections.abc import Callable
from typing import Any

from mlxprobe.agent.introspection import isolated_import
from mlxprobe.agent.introspection.trees import lent
from mlxprobe.agent.patching.interrupts import Stop, let_through
from mlxprobe.agent.recording.call_context import Nesting
from mlxprobe.agent.replay.sandbox import Sandbox
from mlxprobe.agent.sampling.dispatcher import Inspection
from mlxprobe.agent.sampling.overhead_budget import SHARE, is_landmark
from mlxprobe.agent.wire import bound
from mlxprobe.system import self_process

FIRST = 6  # shadows that are not paid for, where each takes less than `CHEAP_S`
CHEAP_S, DEAR_S = 0.1, 0.5
POWERS_SHARE = 0.02  # of the time so far, for those at landmarks
FREE_S = 0.2  # in all, for those: a run that is short must not find less where the machine is slow
SMALL_SHARE = 0.1  # of the machine's memory: the peak of a program of which an eager run fits in
RANKS = ("MLX_RANK", "MLX_HOSTFILE", "MLX_WORLD_SIZE", "OMPI_COMM_WORLD_SIZE", "PMI_SIZE")


class Shadows:
    """Decide when a shadow is due, run it, and leave no trace of it."""

    def __init__(self, inspection: Inspection, nesting: Nesting) -> None:
        self._inspection = inspection
        self._nesting = nesting
        self._on_cpu: Callable[[], bool] = lambda: False
        self._taken = 0
        self._cost_s = self._spent_s = 0.0
        self._before_s = 0.0  # on a GPU the first makes kernels, which the program's own first step will find made
        self._began_s = bound.monotonic()

    def install(self, mx: Any) -> None:
        """Take what `mlx.core` offers, before it is wrapped."""
        self._on_cpu = lambda: bool(mx.default_device() == mx.cpu)

    def is_due(self, step: int) -> bool:
        """Tell whether another one is paid for."""
        if not self._inspection.due or self._inspection.busy or self._inspection.recorder.is_within_step:
            return False
        elapsed_s = bound.monotonic() - self._began_s
        if (self._taken < FIRST and self._cost_s < CHEAP_S) or (self._inspection.doubted and is_landmark(step)):
            return True
        paid_s = max(FREE_S, POWERS_SHARE * elapsed_s) if is_landmark(step) else SHARE * elapsed_s
        return self._spent_s + self._cost_s <= paid_s

    def obstacle(self, sandbox: Sandbox) -> str:
        """Return the reason why there can be no shadow of a function; empty where there can."""
        if any(name in os.environ for name in RANKS):
            return "it may talk to other ranks"
        if why := sandbox.obstacle():
            return why
        if self._nesting.peaks.own() > SMALL_SHARE * self_process.memory_bytes():
            return "an eager run would need too much memory"
        return ""

    def take(self, function: Callable[..., Any], given: tuple[Any, Any], sandbox: Sandbox) -> str:
        """Run a function eagerly; return why not, where its state is still to be computed, or it does not run so.

        Where the program evaluates each loss and no more, this step's will compute what the state waits for. Otherwise
        nothing that depends on it is evaluated: the run glances at ids, and ends with the first gradient call.
        """
        inspection, unevaluated = self._inspection, "its state is not evaluated when it is called"
        if inspection.recorder.lazy_steps > 1:
            return unevaluated
        waits = inspection.pending(sandbox.arrays()) > 0 and not inspection.recorder.losses.is_evaluated
        began, self._taken = self._clocks(), self._taken + 1
        imported_s, kernels = isolated_import.importing_s(), inspection.looks.kernels.watch()
        try:
            self._nesting.shadow, self._nesting.glances = True, waits
            inspection.shadow(lambda: sandbox.run(self._run, function, given, sandbox))
        except Stop:
            return unevaluated if waits else sandbox.obstacle()
        except Exception as error:
            let_through(error)
            return f"it does not run without mx.compile ({type(error).__name__})"
        finally:
            self._nesting.shadow = self._nesting.glances = False
            took_s = min(now - then for now, then in zip(self._clocks(), began, strict=True))
            took_s -= isolated_import.importing_s() - imported_s
            took_s -= kernels(took_s)
            is_dear = self._on_cpu() and took_s > DEAR_S
            self._cost_s = took_s if is_dear else min(took_s, self._before_s)  # of two, one may have met a busy machine
            self._spent_s, self._before_s = self._spent_s + self._cost_s, took_s
        return ""

    def _clocks(self) -> tuple[float, ...]:
        """Read the clocks that a cost is the least of: what others compute is not ours; a GPU's work shows in one."""
        return (bound.monotonic(), bound.process_time()) if self._on_cpu() else (bound.monotonic(),)

    def _run(self, function: Callable[..., Any], given: tuple[Any, Any], sandbox: Sandbox) -> None:
        """Run a function under the guard, and without it what looks at its results, which is the agent's own."""
        sandbox.guarded(lambda: function(*lent(given[0]), **lent(given[1])), within_s=math.inf)
        self._inspection.look_inside()
