"""Wrap what evaluates: `mx.eval`, conversions to Python's numbers, and what writes files."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from mlxprobe.agent.graph import lazy_graph
from mlxprobe.agent.hooks.collectives import Collectives
from mlxprobe.agent.hooks.threads import Threads
from mlxprobe.agent.intercept.events import CallEvent
from mlxprobe.agent.intercept.intercepts import Intercepts, Observe
from mlxprobe.agent.introspection import call_site
from mlxprobe.agent.patching import static
from mlxprobe.agent.patching.signatures import like
from mlxprobe.agent.recording.fact_sender import InForkError, brief
from mlxprobe.agent.recording.phase_timer import SAVING
from mlxprobe.agent.recording.recorder import Recorder
from mlxprobe.agent.wire import bound
from mlxprobe.protocol.facts.processes import ArrayOfAnotherThread, Fork
from mlxprobe.protocol.facts.work import IneffectiveEvaluation

EVALUABLE = (list, tuple, dict)
READERS = ("item", "tolist", "__float__", "__int__", "__bool__", "__array__", "__repr__", "__str__", "__format__")
WRITERS = ("save", "savez", "savez_compressed", "save_safetensors", "save_gguf")


class Evaluations:
    """Tell the recorder of every evaluation, and of every value that is read."""

    def __init__(self, recorder: Recorder, collectives: Collectives) -> None:
        self._recorder = recorder
        self._collectives = collectives
        self._threads = Threads()
        self._fork = 0  # the last one that has been reported

    def observe(self, intercepts: Intercepts) -> None:
        """Listen to what `mlx.core` offers."""
        for name in ("eval", "async_eval"):
            intercepts.around(f"mlx.core.{name}", partial(self._evaluation, waits=name == "eval"))
        for name in READERS:
            intercepts.around(f"mlx.core.array.{name}", self._reader)
        intercepts.add(self, (Observe(f"mlx.core.{name}", "_writes") for name in WRITERS))
        intercepts.add(self, (Observe(f"mlx.core.{name}", "_written", after=True) for name in WRITERS))

    def _evaluation(self, original: Callable[..., None], *, waits: bool) -> Callable[..., None]:
        recorder, clock, failed, collectives = self._recorder, bound.monotonic, self._failed, self._collectives
        has_evaluated = self._has_evaluated
        if not waits:
            recorder.losses.schedule = original

        @like(original)
        def evaluate(*args: Any, **kwargs: Any) -> None:
            began = clock()
            talks = collectives.active and not recorder.deaf
            if talks or recorder.forked is not None:
                self._begins(began, args)
            try:
                original(*args, **kwargs)
            except RuntimeError as error:
                failed(error)
                raise
            try:
                if talks:
                    collectives.returns(clock(), waits=waits)
                if not waits:
                    recorder.losses.schedules()
                has_evaluated(args, began)
            except Exception as error:
                recorder.failed(error)

        return evaluate

    def _begins(self, began_s: float, given: tuple[Any, ...]) -> None:
        """An evaluation begins, of a fork or of arrays that other ranks may be asked for.

        Raises:
            InForkError: it is ours, in a fork.
        """
        try:
            if self._recorder.forked is not None:
                self._evaluates_in_fork(given)
            if self._collectives.active and not self._recorder.deaf:
                self._collectives.begins(began_s, given)
        except InForkError:
            raise
        except Exception as error:
            self._recorder.failed(error)

    def _has_evaluated(self, given: tuple[Any, ...], began_s: float) -> None:
        recorder = self._recorder
        for one in given:
            if issubclass(type(one), EVALUABLE) or static.is_array(one):
                recorder.evaluated(began_s, whole=recorder.lazy_steps > 1 and recorder.trained.holds(given))
                return
        recorder.fact(IneffectiveEvaluation(kinds=tuple(type(one).__name__ for one in given)))

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
                and lazy_graph.pending(lazy_graph.leaves(list(given)))
            ):
                self._fork = bound.getpid()
                site, evaluations = recorder.forked
                recorder.fact(
                    Fork(evaluations=evaluations, pid=self._fork, at=call_site.brief(call_site.calling())), site
                )

    def _failed(self, error: RuntimeError) -> None:
        """Tell of an array that another thread made, also where the program swallows the exception."""
        with self._recorder.carefully():
            self._collectives.fails()
            message = brief(error, kind=False)
            if "no Stream" in message and not self._recorder.deaf:  # we may read what is another thread's
                site, seen = call_site.blamed(self._threads.maker(), call_site.calling())
                self._recorder.fact(ArrayOfAnotherThread(message=message, seen=seen), site)

    def _writes(self, event: CallEvent) -> None:
        """Files get values: what writes one evaluates."""
        given = [*event.args, *event.kwargs.values()]
        if self._recorder.forked is not None:
            self._evaluates_in_fork(tuple(given))
        if self._collectives.active:
            self._collectives.begins(event.began_s, given)

    def _written(self, event: CallEvent) -> None:
        now_s = bound.monotonic()
        if self._collectives.active:
            self._collectives.returns(now_s)
        self._recorder.phases.took(SAVING, event.began_s, now_s)
        self._recorder.evaluated(event.began_s)
        self._recorder.reductions.taken = True

    def _reader(self, original: Callable[..., Any]) -> Callable[..., Any]:
        recorder, clock, failed, collectives = self._recorder, bound.monotonic, self._failed, self._collectives

        @like(original)
        def read(array: Any, *args: Any, **kwargs: Any) -> Any:
            began = clock()
            talks = collectives.active and not recorder.deaf
            if talks or recorder.forked is not None:
                self._begins(began, (array,))
            try:
                value = original(array, *args, **kwargs)
            except RuntimeError as error:
                failed(error)
                raise
            try:
                if talks:
                    collectives.returns(clock())
                recorder.evaluated(began)
                recorder.read(array, value)
            except Exception as error:
                recorder.failed(error)
            return value

        return read
