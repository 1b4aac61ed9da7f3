"""The program's own peak of memory."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

from mlxprobe.agent.intercept.intercepts import Intercepts
from mlxprobe.agent.patching.signatures import like


class Peaks:
    """Keep our own allocations out of the peak that the program reads."""

    def __init__(self) -> None:
        self._floor = 0
        self._hides = False
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
        return self._floor if self._hides else max(self._floor, self._peak(*args, **kwargs))

    def since(self) -> int:
        """Return the peak since `restart`, whatever the program has reset meanwhile."""
        return self._since if self._hides else max(self._since, self._peak())

    def restart(self) -> int:
        """Begin another window, unseen by the program; return the peak of the one before."""
        before, self._floor, self._since = self.since(), self.own(), 0
        if not self._hides:
            self._reset()
        return before

    @contextlib.contextmanager
    def hidden(self) -> Iterator[None]:
        """Hide what is allocated meanwhile."""
        self._floor, self._since, before = self.own(), self.since(), self._peak()
        self._hides = True
        try:
            yield
        finally:
            self._hides = False
            if self._peak() > before:
                self._reset()
