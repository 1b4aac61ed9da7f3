"""Where the program is among MLX's calls: what every wrapper must know of the others."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

from mlxprobe.agent.intercept.intercepts import Intercepts
from mlxprobe.agent.patching.signatures import like
from mlxprobe.agent.recording.compile_capture import Reach, Traced
from mlxprobe.agent.wire.bound import get_ident, get_native_id


class Trace:
    """What happens in a compiled function while it is traced."""

    def __init__(self, reach: Reach) -> None:
        self.reach = reach  # what goes in and out
        self.calls: list[Any] = []  # gradient calls, as `inspection.Call`
        self.updated: list[Traced] = []


class Nesting:
    """How deep the program is in MLX's calls of itself (`depth`), and which compiled functions are being traced."""

    def __init__(self) -> None:
        self.depth = 0
        self.shadow = False  # whether a compiled function is run by us, to look into it
        self.glances = False  # whether that ends with its first gradient call: nothing may be evaluated but ids
        self.talks = False  # to other ranks within a gradient call or a trace: taken again by us, they would hear of it
        self.recomputed = 0  # how deep in functions under `mx.checkpoint`, whose arrays no graph keeps
        self.mapped = 0  # how deep in functions of `mx.vmap`, whose arrays have no values
        self.replay = False  # whether a gradient call is taken again by us, operation by operation
        self.replays = 0  # how deep in replays of the program's code
        self.reached: Callable[..., None] | None = None  # told of the next gradient call, by that run of ours
        self.tracing: list[Trace] = []
        self.peaks = Peaks()


class Home:
    """The thread that trains: what we evaluated on another would make a stream there, and a worker.

    MLX ends such a worker with the process, at times by an abort; a thread that evaluates nothing itself has none.
    """

    def __init__(self) -> None:
        self.thread = 0
        self.native_ids: set[int] = set()  # of all threads that asked

    def here(self) -> bool:
        """Tell whether this is that thread: the first that asks."""
        ident = get_ident()
        if ident == self.thread:
            return True
        self.native_ids.add(get_native_id())
        if self.thread:
            return False
        self.thread = ident
        return True


class Peaks:
    """Keep our own allocations out of the peak that the program reads."""

    def __init__(self) -> None:
        self._floor = 0
        self.hides = False  # whether what is allocated is ours
        self._before = 0  # MLX's peak when that began
        self._since = 0  # the peak of the window so far, up to the program's own last reset
        self._peak: Callable[..., int] = lambda: 0
        self._reset: Callable[..., None] = lambda: None

    def observe(self, intercepts: Intercepts) -> None:
        """Take the place of what `mlx.core` tells of the peak."""
        intercepts.around("mlx.core.get_peak_memory", self._peaks)
        intercepts.around("mlx.core.reset_peak_memory", self._resets)

    def _peaks(self, original: Callable[..., int]) -> Callable[..., int]:
        self._peak = original

        @like(original)
        def peak(*args: Any, **kwargs: Any) -> int:
            return self.own(*args, **kwargs)

        return peak

    def _resets(self, original: Callable[..., None]) -> Callable[..., None]:
        self._reset = original

        @like(original)
        def reset(*args: Any, **kwargs: Any) -> None:
            self._since = self.since()
            self._floor = 0
            original(*args, **kwargs)

        return reset

    def own(self, *args: Any, **kwargs: Any) -> int:
        """Return the program's own peak, in bytes, as it asks for that."""
        return self._floor if self.hides else max(self._floor, self._peak(*args, **kwargs))

    def since(self) -> int:
        """Return the peak since `restart`, whatever the program has reset meanwhile."""
        return self._since if self.hides else max(self._since, self._peak())

    def restart(self) -> int:
        """Begin another window, unseen by the program; return the peak of the one before."""
        before, self._floor, self._since = self.since(), self.own(), 0
        if not self.hides:
            self._reset()
        return before

    def hide(self) -> None:
        """Hide what is allocated from now on."""
        self._floor, self._since, self._before = self.own(), self.since(), self._peak()
        self.hides = True

    def show(self) -> None:
        """Hide nothing more."""
        if self.hides and self._peak() > self._before:
            self._reset()
        self.hides = False

    @contextlib.contextmanager
    def hidden(self) -> Iterator[None]:
        """Hide what is allocated meanwhile."""
        self.hide()
        try:
            yield
        finally:
            self.show()
