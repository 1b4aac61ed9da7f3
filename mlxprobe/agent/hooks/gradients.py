"""Wrap the transformations that make gradients, and the functions that they return."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from types import FunctionType
from typing import Any, ClassVar

from mlxprobe.agent.graph import lazy_graph
from mlxprobe.agent.hooks.gradient_function import HELD, UNKNOWN, Bound, Made, made_by, unwrapped, with_parameters
from mlxprobe.agent.intercept.guarded import guarded
from mlxprobe.agent.intercept.intercepts import Intercepts
from mlxprobe.agent.introspection import call_site
from mlxprobe.agent.introspection.trees import weak
from mlxprobe.agent.nan_origin.call_history import Origin
from mlxprobe.agent.nan_origin.call_ring import Calls
from mlxprobe.agent.patching.bound_arguments import Given
from mlxprobe.agent.patching.interrupts import Stop, comes_from_outside
from mlxprobe.agent.patching.patches import Patches
from mlxprobe.agent.patching.signatures import described, like
from mlxprobe.agent.patching.static import at
from mlxprobe.agent.patching.unbound import Unbound
from mlxprobe.agent.recording.call_context import Nesting
from mlxprobe.agent.recording.fact_sender import brief
from mlxprobe.agent.recording.gradient_call import Call, loss_in
from mlxprobe.agent.recording.parameter_moves import paths
from mlxprobe.agent.recording.recorder import Recorder
from mlxprobe.agent.sampling.dispatcher import Inspection
from mlxprobe.agent.sampling.vmap import MADE_OF, exporter, mapper
from mlxprobe.agent.wire.bound import get_ident
from mlxprobe.protocol.facts.gradients import GradientFailed

SECOND = 2  # call of a function: it has not been made for one


class GradientCalls:
    """Tell of every gradient call, with its model where `nn.value_and_grad` made it.

    What wrapped functions return stays with the program: it asks who is there now, and is plain where nobody is.
    """

    here: ClassVar[GradientCalls | None] = None

    def __init__(self, recorder: Recorder, inspection: Inspection, nesting: Nesting, origin: Origin) -> None:
        self._recorder = recorder
        self._inspection = inspection
        self._nesting = nesting
        self._origin = origin
        self._making: Bound = None  # for which `nn.value_and_grad` asks `mx.value_and_grad` now
        self._made_at = call_site.NOWHERE
        self._made_by: Any = None
        self._first: Callable[[], Any] | None = None  # what is known of the first function of no model

    def observe(self, intercepts: Intercepts) -> None:
        """Listen to what makes gradients; `nn.value_and_grad` knows the model."""
        GradientCalls.here = self
        for name in ("value_and_grad", "grad"):
            intercepts.around(f"mlx.core.{name}", partial(self._maker, with_value=name == "value_and_grad"))
        intercepts.around("mlx.core.vmap", lambda original: mapper(original, self._looker, self._wrapped))
        for name in ("export_function", "exporter"):
            intercepts.around(f"mlx.core.{name}", lambda original: exporter(original, self._looker))
        intercepts.around("mlx.nn.utils.value_and_grad", self._of_modules)

    @staticmethod
    def _looker() -> Inspection | None:
        return GradientCalls.here._inspection if GradientCalls.here is not None else None

    def leave(self) -> None:
        """Listen no more."""
        GradientCalls.here = None

    def _of_modules(self, original: Callable[..., Any]) -> Callable[..., Any]:
        given = Given(original, "model", "fn")
        self._made_by = original

        def made(once: Callable[..., Any], args: Any, kwargs: Any) -> Any:
            model, fn = given(args, kwargs)
            before, self._making, self._made_at = self._making, (model, fn), call_site.calling()
            try:
                return once(*args, **kwargs)
            finally:
                self._making = before

        @like(original)
        def value_and_grad(*args: Any, **kwargs: Any) -> Any:
            return guarded(self._recorder.failed, lambda once: made(once, args, kwargs), original, args, kwargs)

        return value_and_grad

    def adopt(self, patches: Patches) -> None:
        """Listen to functions that `nn.value_and_grad` made before we came: each holds MLX's own in its closure."""
        for function in made_by(self._made_by):
            held = dict(zip(function.__code__.co_freevars, function.__closure__ or (), strict=True))
            call, model, fn = held[HELD].cell_contents, held["model"].cell_contents, unwrapped(function)
            if type(call) not in (FunctionType, Unbound):  # MLX's own says it is an instance of the first
                inner = with_parameters(model, fn)
                patches.fill(held[HELD], self._wrapped(inner, call, True, described(inner), (model, fn)))

    def _maker(self, original: Callable[..., Any], *, with_value: bool) -> Callable[..., Any]:
        given = Given(original, "fun", "argnums", "argnames")

        def made(once: Callable[..., Any], args: Any, kwargs: Any) -> Any:
            bound, self._making = self._making, None
            call = once(*args, **kwargs)
            where = {"site": self._made_at} if bound else {}
            fun, argnums, argnames = given(args, kwargs)
            return self._wrapped(fun, call, with_value, described(fun, argnums, argnames or ()), bound, **where)

        @like(original)
        def make(*args: Any, **kwargs: Any) -> Any:
            return guarded(self._recorder.failed, lambda once: made(once, args, kwargs), original, args, kwargs)

        return make

    def _wrapped(
        self, function: Any, call: Any, with_value: bool, describe: Any, bound: Bound, **rest: Any
    ) -> Callable[..., Any]:
        made = Made(function, with_value, describe, bound, **rest)

        @like(call)
        def gradients(*args: Any, **kwargs: Any) -> Any:
            here = GradientCalls.here
            if here is None:
                return call(*args, **kwargs)
            nesting = here._nesting
            if nesting.reached is not None and made.held and not nesting.mapped:  # may raise `Stop`, in a call of ours
                nesting.reached(function, args, kwargs, bound or (None, None))
            if nesting.depth or nesting.tracing or nesting.shadow:
                return guarded(
                    here._recorder.failed, lambda once: here._within(once, args, kwargs, made), call, args, kwargs
                )
            try:
                here._begins(made, args, kwargs)
            except Exception as error:
                here._recorder.failed(error)
            nesting.depth += 1
            try:
                result = call(*args, **kwargs)
            except Exception as error:
                here._failed(error, bound)
                made.given = None
                raise
            finally:
                nesting.depth -= 1
            try:
                here._ends(made, result, args, kwargs)
            except Exception as error:
                here._recorder.failed(error)
            return result

        setattr(gradients, MADE_OF, (function, with_value, describe, bound))
        return gradients

    def _begins(self, made: Made, args: Any, kwargs: Any) -> None:
        self._recorder.gradient_begins()
        if self._inspection.due:
            self._inspection.calling()
        if made.told is not self:
            made.told, made.stream, made.followed = self, UNKNOWN, None
            made.holder = Calls(self._origin, made.function, made.bound) if made.held else None
        if not self._nesting.mapped and (made.followed is None or not made.followed.by_optimizer):
            self._follow(made, args, kwargs)
        if made.holder is not None and not self._nesting.mapped:
            home = self._inspection.home
            if home.thread == get_ident() or home.here():
                made.holder.begin(args, kwargs)

    def _follow(self, made: Made, args: Any, kwargs: Any) -> None:
        """Compare the parameters with those of the last call."""
        recorder, model = self._recorder, made.bound[0] if made.bound else None
        if made.followed is None:
            made.followed = recorder.moves.of(model, made.function)
        if not made.followed.by_optimizer:
            made.given = made.taken(args, kwargs)
            made.followed.begins(made.given, recorder.updates)
            recorder.moves.filled, recorder.moves.listens = weak(model), True

    def _ends(self, made: Made, result: Any, args: Any, kwargs: Any) -> None:
        made.calls += 1
        if made.given is not None:
            moves, given, made.given = self._recorder.moves, made.given, None
            made.followed.ends(given, made.bound[0] if made.bound else moves.filled())
            moves.filled, moves.listens = weak(None), False
        if made.holder is not None:
            made.holder.end()
        if made.bound is None and made.calls <= SECOND:
            made.owns, made.stream = not self._is_first(made) and made.calls == SECOND, UNKNOWN
        loss = result[0] if made.with_value and not self._nesting.mapped else None
        if loss.__class__ is not made.scalar or made.stream < 0:
            found = loss_in(loss)
            made.scalar = type(loss) if found is loss is not None else ()  # MLX takes gradients of scalars alone
            loss = found
        owner = made.owner if made.stream < 0 else None
        made.stream = self._recorder.gradient_ends(loss, owner, made.stream, model=made.bound is not None)
        if self._recorder.reduced is not None:
            self._recorder.reduced(result[1] if made.with_value else result)
        if self._inspection.due:
            self._inspection.called(partial(made.described, result, args, kwargs))

    def _is_first(self, made: Made) -> bool:
        """Tell whether this is the first function of no model whose gradient was taken."""
        self._first = self._first or weak(made)
        return self._first() is made

    def _within(self, call: Callable[..., Any], args: Any, kwargs: Any, made: Made) -> Any:
        """Make a gradient call within another call of MLX's; tell of it where that is a compiled function's."""
        nesting = self._nesting
        tells = not (nesting.depth or nesting.mapped)
        if tells and not nesting.shadow:
            self._inspection.calling()
        nesting.depth += 1
        try:
            result = call(*args, **kwargs)
        except ValueError:
            self._tell_untrainable(made.bound)
            raise
        finally:
            nesting.depth -= 1
        if tells:
            self._inside(partial(made.described, result, args, kwargs))
        return result

    def _inside(self, described: Callable[[], Call]) -> None:
        """Tell of a gradient call in a compiled function, which is being traced, or run by us to look into it."""
        if self._nesting.glances:
            raise Stop
        if self._nesting.shadow:
            self._inspection.called(described)
            return
        with self._recorder.carefully():
            made = described()
            if made.model is not None:
                made.left = [(path, at(made.model, path)) for path in paths(made.model.trainable_parameters())]
            self._nesting.tracing[-1].calls.append(made)
            self._inspection.called_in_trace(made)

    def _failed(self, error: Exception, bound: Bound) -> None:
        if comes_from_outside(error):  # a time limit of the program's is no failure of the gradient's
            return
        with self._recorder.carefully():
            at, message = call_site.raising(error.__traceback__), brief(error, 300, kind=False)
            self._recorder.fact(GradientFailed(at=":".join(map(str, at)), type=type(error).__name__, message=message))
        if isinstance(error, ValueError):
            self._tell_untrainable(bound)

    def _tell_untrainable(self, bound: Bound) -> None:
        with self._recorder.carefully():
            if bound and not lazy_graph.leaves(bound[0].trainable_parameters()):
                self._recorder.nothing_trainable(call_site.calling())
