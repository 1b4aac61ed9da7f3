"""Wrap what evaluates: `mx.eval`, conversions to Python's numbers, and what writes files."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from mlxprobe.agent.code import sites
from mlxprobe.agent.graphs import graph
from mlxprobe.agent.hooks.collectives import Collectives
from mlxprobe.agent.hooks.threads import Threads
from mlxprobe.agent.record.facts import InForkError, brief
from mlxprobe.agent.record.phases import SAVING
from mlxprobe.agent.record.recorder import Recorder
from mlxprobe.agent.wire import bound
from mlxprobe.agent.wrapping.arguments import like
from mlxprobe.protocol.facts.processes import ArrayOfAnotherThread, Fork
from mlxprobe.protocol.facts.work import IneffectiveEvaluation

READERS = ("item", "tolist", "__float__", "__int__", "__bool__", "__array__", "__repr__", "__str__", "__format__")
WRITERS = ("save", "savez", "savez_compressed", "save_safetensors", "save_gguf")


class Evaluations:
    """Tell the recorder of every evaluation, and of every value that is read."""

    def __init__(self, recorder: Recorder, collectives: Collectives) -> None:
        self._recorder = recorder
        self._collectives = collectives
        self._threads = Threads()
        self._fork = 0  # the last one that has been reported

    def install(self, mx: Any) -> None:
        """Wrap what `mlx.core` offers."""
        for name in ("eval", "async_eval"):
            waits = name == "eval"
            setattr(mx, name, self._evaluation(getattr(mx, name), (mx.array, list, tuple, dict), waits=waits))
        for name in WRITERS:
            setattr(mx, name, self._writer(getattr(mx, name)))
        for name in READERS:
            if name in vars(mx.array):
                setattr(mx.array, name, self._reader(getattr(mx.array, name)))

    def _evaluation(
        self, original: Callable[..., None], evaluable: tuple[type, ...], *, waits: bool
    ) -> Callable[..., None]:
        recorder, clock, failed, collectives = self._recorder, bound.monotonic, self._failed, self._collectives

        @like(original)
        def evaluate(*args: Any, **kwargs: Any) -> None:
            began = clock()
            talks = collectives.active and not recorder.deaf
            if recorder.forked is not None:
                self._evaluates_in_fork(args)
            if talks:
                collectives.begins(began, args)
            try:
                original(*args, **kwargs)
            except RuntimeError as error:
                failed(error)
                raise
            if talks:
                collectives.returns(clock(), waits=waits)
            try:
                for arg in args:
                    if issubclass(type(arg), evaluable):
                        recorder.evaluated(began, whole=recorder.lazy_steps > 1 and recorder.trained.holds(args))
                        return
                recorder.fact(IneffectiveEvaluation(kinds=tuple(type(arg).__name__ for arg in args)))
            except Exception as error:
                recorder.failed(error)

        return evaluate

    def _evaluates_in_fork(self, given: tuple[Any, ...]) -> None:
        """Report that a forked process is about to run operations: before it does, for it may wait for ever then.

        What the program does not evaluate we do not evaluate either.
        """
        recorder = self._recorder
        if recorder.deaf:
            raise InForkError
        with recorder.carefully():
            if (
                recorder.forked is not None
                and self._fork != bound.getpid()
                and graph.pending(graph.leaves(list(given)))
            ):
                self._fork = bound.getpid()
                site, evaluations = recorder.forked
                recorder.fact(Fork(evaluations=evaluations, pid=self._fork, at=sites.brief(sites.calling())), site)

    def _failed(self, error: RuntimeError) -> None:
        """Tell of an array that another thread made, also where the program swallows the exception."""
        with self._recorder.carefully():
            self._collectives.fails()
            message = brief(error, kind=False)
            if "no Stream" in message and not self._recorder.deaf:  # we may read what is another thread's
                site, seen = sites.blamed(self._threads.maker(), sites.calling())
                self._recorder.fact(ArrayOfAnotherThread(message=message, seen=seen), site)

    def _writer(self, original: Callable[..., Any]) -> Callable[..., Any]:
        """Files get values: what writes one evaluates."""

        @like(original)
        def write(*args: Any, **kwargs: Any) -> Any:
            began = bound.monotonic()
            if self._recorder.forked is not None:
                self._evaluates_in_fork((*args, *kwargs.values()))
            if self._collectives.active:
                self._collectives.begins(began, [*args, *kwargs.values()])
            result = original(*args, **kwargs)
            with self._recorder.carefully():
                if self._collectives.active:
                    self._collectives.returns(bound.monotonic())
                self._recorder.phases.took(SAVING, began, bound.monotonic())
                self._recorder.evaluated(began)
                self._recorder.reductions.taken = True
            return result

        return write

    def _reader(self, original: Callable[..., Any]) -> Callable[..., Any]:
        recorder, clock, failed, collectives = self._recorder, bound.monotonic, self._failed, self._collectives

        @like(original)
        def read(array: Any, *args: Any, **kwargs: Any) -> Any:
            began = clock()
            talks = collectives.active and not recorder.deaf
            if recorder.forked is not None:
                self._evaluates_in_fork((array,))
            if talks:
                collectives.begins(began, (array,))
            try:
                value = original(array, *args, **kwargs)
            except RuntimeError as error:
                failed(error)
                raise
            if talks:
                collectives.returns(clock())
            try:
                recorder.evaluated(began)
                recorder.read(array, value)
            except Exception as error:
                recorder.failed(error)
            return value

        return read
