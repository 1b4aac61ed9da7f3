"""The program's own peak of memory."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

from mlxprobe.agent.wrapping.arguments import like


class Peaks:
    """Keep our own allocations out of the peak that the program reads."""

    def __init__(self) -> None:
        self._floor = 0
        self._hides = False
        self._since = 0  # the peak of the window so far, up to the program's own last reset
        self._peak: Callable[..., int] = lambda: 0
        self._reset: Callable[..., None] = lambda: None

    def install(self, mx: Any) -> None:
        """Wrap what `mlx.core` tells of the peak."""
        if not hasattr(mx, "reset_peak_memory"):
            return
        self._peak, self._reset = mx.get_peak_memory, mx.reset_peak_memory

        @like(self._peak)
        def peak(*args: Any, **kwargs: Any) -> int:
            return self.own(*args, **kwargs)

        @like(self._reset)
        def reset(*args: Any, **kwargs: Any) -> None:
            self._since = self.since()
            self._floor = 0
            self._reset(*args, **kwargs)

        mx.get_peak_memory, mx.reset_peak_memory = peak, reset

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
            if self._peak() > before:
                self._reset()
            self._hides = False
