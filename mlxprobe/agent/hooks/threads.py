"""Which of the program's functions have run in other threads: who made an array that another thread cannot evaluate."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable
from types import CodeType, FrameType, FunctionType
from typing import Any

from mlxprobe.agent.introspection import call_site
from mlxprobe.agent.introspection.code_ownership import OWN
from mlxprobe.agent.patching import static
from mlxprobe.agent.patching.import_hooks import when_imported
from mlxprobe.agent.patching.interrupts import QUIETLY
from mlxprobe.agent.patching.signatures import like
from mlxprobe.agent.wire.bound import get_ident

MOST = 64
POOL = "concurrent.futures.thread"


class Threads:
    """Remember what threads and their pools are given."""

    def __init__(self) -> None:
        self._given: set[CodeType] = set()
        setattr(threading.Thread, "start", self._start(threading.Thread.start))  # noqa: B010 - types know it as it is
        if POOL in sys.modules:
            self._pool(sys.modules[POOL])
        else:
            when_imported(POOL, self._pool)

    def maker(self) -> call_site.Site:
        """Return a line of the one function that other threads have run; nowhere, if we are in one, or there are more.

        A thread that is still in it tells the line.
        """
        if get_ident() != threading.main_thread().ident or len(self._given) != 1:
            return call_site.NOWHERE
        (code,) = self._given
        for innermost in sys._current_frames().values():
            frame: FrameType | None = innermost
            while frame is not None and frame.f_code is not code:
                frame = frame.f_back
            if frame is not None:
                return code.co_filename, frame.f_lineno
        lines = [line for _, _, line in code.co_lines() if line is not None and line > code.co_firstlineno]
        return code.co_filename, min(lines, default=code.co_firstlineno)

    def _pool(self, module: Any) -> None:
        with QUIETLY:  # another module in its place
            module.ThreadPoolExecutor.submit = self._submit(module.ThreadPoolExecutor.submit)

    def _submit(self, original: Callable[..., Any]) -> Callable[..., Any]:
        @like(original)
        def submit(pool: Any, fn: Any, /, *args: Any, **kwargs: Any) -> Any:
            with QUIETLY:  # callables of any kind
                self._take(fn)
            return original(pool, fn, *args, **kwargs)

        return submit

    def _start(self, original: Callable[..., Any]) -> Callable[..., Any]:
        @like(original)
        def start(thread: Any, *args: Any, **kwargs: Any) -> Any:
            with QUIETLY:
                self._take(static.attributes(thread).get("_target") or static.method(thread, "run"))
            return original(thread, *args, **kwargs)

        return start

    def _take(self, function: Any) -> None:
        for _ in range(2):  # a partial function of a method
            function = static.wrapped(function) or function
        if static.is_a(function, FunctionType) and len(self._given) < MOST:
            code = function.__code__
            if call_site.whose(code.co_filename) == OWN:
                self._given.add(code)
