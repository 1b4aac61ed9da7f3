"""One sandbox for all that runs the program's own code again: what that changes is restored."""

from __future__ import annotations

import gc
import sys
from collections.abc import Callable
from types import FrameType
from typing import Any

from mlxprobe.agent.graph import lazy_graph
from mlxprobe.agent.introspection.side_effects import REPLAY_WITHIN_S, Effects, guard, is_made_by_us
from mlxprobe.agent.introspection.trees import Generators, Saved, SavedKey, is_array
from mlxprobe.agent.patching import static
from mlxprobe.agent.patching.interrupts import Stop, let_through
from mlxprobe.agent.recording.call_context import Nesting
from mlxprobe.agent.recording.compile_switch import CompileSwitch

WORDS = 200  # characters
Watch = Callable[[FrameType, str, Any], None]


class Refused(Exception):  # noqa: N818 - no error of ours
    """The program's code is not run again, or raises there; the message is the reason."""


class Sandbox:
    """Restore the state of some modules and optimizers, random numbers, peak memory and compilation after a replay.

    Code that the program has run under `followed` may go only where it went then. Without such `effects` each
    function is read before it runs, and the modules in its sight are saved. No context manager: the program's signal
    handler may raise inside contextlib's own code.
    """

    def __init__(self, nesting: Nesting, *trees: Any, effects: Effects | None = None, draws: bool = True) -> None:
        self.effects = Effects() if effects is None else effects
        self._reads = effects is None
        self._nesting, self._draws = nesting, draws
        self._saved = Saved(*trees)
        self._restores: list[Callable[[], None]] = []
        self._rewinds: list[Callable[[], None]] = []

    def obstacle(self) -> str:
        """Return the reason why nothing may be run again; empty where it may."""
        if self._nesting.talks:
            return "it may talk to other ranks"
        if self.effects.found:
            return f"a second call could show: it {self.effects.found}"
        return "it writes to a module that is not captured" if self._strange() else ""

    def _strange(self) -> bool:
        return any(one not in self._saved for one in self.effects.changed)

    def arrays(self) -> list[Any]:
        """List the arrays of the saved state."""
        return self._saved.arrays()

    def run(self, body: Callable[..., Any], *args: Any) -> Any:
        """Call a function, and leave everything as it was.

        Raises:
            Refused: the program's code may not be run again.
        """
        try:
            self._begin()
            return body(*args)
        finally:
            try:
                self._end()
            except BaseException:  # a signal handler of the program's has raised: that goes on once all is restored
                self._end()
                raise

    def _begin(self) -> None:
        if why := self.obstacle():
            raise Refused(why)
        self._key, generators, profile = SavedKey(evaluates=self._draws), Generators(), sys.getprofile()
        self._rewinds = [self._key.put_back, generators.put_back]
        depth, peaks = self._nesting.replays, self._nesting.peaks
        self._restores = [lambda: sys.setprofile(profile), *self._rewinds, self._saved.put_back]
        self._restores.append(lambda: setattr(self._nesting, "replays", depth))
        self._nesting.replays = depth + 1
        if not peaks.hides:
            self._restores.append(peaks.show)
            peaks.hide()
        if not CompileSwitch.is_off:
            self._restores.append(CompileSwitch.turn_on)
            CompileSwitch.turn_off()
        self._saved.lend()

    def _end(self) -> None:
        """Restore everything; what is restored already is left so, where a signal handler has raised in between."""
        for restore in self._restores:
            restore()
        self._restores = []

    def restart(self) -> None:
        """Restore the state for another call."""
        self._saved.put_back()
        self._saved.lend()
        self.rewind()

    def rewind(self) -> None:
        """Restore the random numbers alone."""
        for one in self._rewinds:
            one()

    def draw_from(self, key: Any) -> None:
        """Draw MLX's random numbers from another key."""
        self._key.draw_from(key)

    def include(self, *trees: Any) -> None:
        """Save more trees, which nothing has changed yet."""
        before = len(self._saved)
        self._saved.add(*trees)
        if self._restores:
            self._saved.lend(before)

    def call(self, function: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        """Repeat a call of the program's, and evaluate what it returns.

        Args: as of `guarded`.

        Raises:
            Refused: the call raises, goes where the program's own did not go, or does not end.
        """
        try:
            made = self.guarded(function, *args, **kwargs)
            lazy_graph.evaluate(outputs(made))
        except Stop:
            raise Refused(self.obstacle() or "it runs other functions than before, or does not end") from None
        except Exception as error:
            let_through(error)
            raise Refused(f"{type(error).__name__}: {error}"[:WORDS]) from error
        return made

    def guarded(
        self,
        function: Callable[..., Any],
        *args: Any,
        within_s: float = REPLAY_WITHIN_S,
        watch: Watch | None = None,
        **kwargs: Any,
    ) -> Any:
        """Call a function of the program's, and raise `Stop` where its effects could show or its time is over.

        Args:
            function: what is called.
            args: its arguments.
            within_s: the time that this thread may compute.
            watch: called at each event of a function in Python.
            kwargs: arguments by name.
        """
        before, collects = sys.getprofile(), gc.isenabled()
        if before is not None and self._nesting.replays > 1 and watch is None:
            return function(*args, **kwargs)  # the outer replay has its guard
        follow = guard(self.effects, within_s, self._read if self._reads else None, watch)
        gc.disable()  # what the collector lets go of is not the function's
        sys.setprofile(follow)
        try:
            return function(*args, **kwargs)
        finally:
            sys.setprofile(before)
            if collects:
                gc.enable()

    def _read(self, frame: FrameType) -> None:
        """Read a function before it runs, and save the modules in its sight."""
        effects = self.effects
        if frame.f_code in effects.codes and frame.f_code not in effects.skipping:
            return
        if is_made_by_us(frame):
            return
        try:
            effects.visit(frame)
        except Exception as error:
            let_through(error)
            effects.found = f"cannot be read ({type(error).__name__})"
        met = [one for known in effects.roots if (one := known()) is not None and one not in self._saved]
        self.include(*met)
        if effects.found or self._strange():
            effects.found = effects.found or "writes to a module that is not the model"
            raise Stop


def in_evaluation(module: Any) -> None:
    """Switch a module and those in it to evaluation mode, past whatever a class makes of that."""
    for one in module.modules():
        static.attributes(one)["_training"] = False


def outputs(made: Any) -> list[Any]:
    """List the arrays of floating-point numbers in what a model returns."""
    import mlx.core as mx

    parts = made if is_array(made) or static.is_a(made, static.CONTAINERS) else static.attributes(made)
    return [one for one in lazy_graph.leaves(parts) if mx.issubdtype(one.dtype, mx.floating) and one.size]
