"""Wrap the transformations that make gradients, and the functions that they return."""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterator
from functools import partial
from types import CodeType, FunctionType
from typing import Any, ClassVar

from mlxprobe.agent import graph, sites
from mlxprobe.agent.arguments import described, like
from mlxprobe.agent.call import Call
from mlxprobe.agent.inspection import Inspection
from mlxprobe.agent.mapped import MADE_OF, mapper
from mlxprobe.agent.nesting import Nesting
from mlxprobe.agent.origin.held import Origin
from mlxprobe.agent.patches import Patches
from mlxprobe.agent.recorder import Recorder

Bound = tuple[Any, Callable[..., Any]] | None  # the model, and the function that `nn.value_and_grad` was given
SECOND = 2  # call of a function: it has not been made for one
HELD = "value_grad_fn"  # as `nn.value_and_grad` names the function that it returns a closure of


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
        self._made_by: Any = None
        self._first: Callable[..., Any] | None = None  # function of no model whose gradient was taken

    def install(self, mx: Any) -> None:
        """Wrap what `mlx.core` offers."""
        GradientCalls.here = self
        for name in ("value_and_grad", "grad"):
            setattr(mx, name, self._maker(getattr(mx, name), with_value=name == "value_and_grad"))
        mx.vmap = mapper(mx.vmap, self._looker, self._wrapped)

    @staticmethod
    def _looker() -> Inspection | None:
        return GradientCalls.here._inspection if GradientCalls.here is not None else None

    def leave(self) -> None:
        """Listen no more."""
        GradientCalls.here = None

    def install_module_gradients(self, utils: Any) -> None:
        """Wrap `nn.value_and_grad` (`mlx.nn.utils`), which knows the model."""
        original = self._made_by = utils.value_and_grad

        @like(original)
        def value_and_grad(model: Any, fn: Callable[..., Any]) -> Callable[..., Any]:
            before, self._making = self._making, (model, fn)
            try:
                return original(model, fn)  # type: ignore[no-any-return]
            finally:
                self._making = before

        utils.value_and_grad = value_and_grad

    def adopt(self, patches: Patches) -> None:
        """Listen to functions that `nn.value_and_grad` made before we came: each holds MLX's own in its closure."""
        for function in made_by(self._made_by):
            held = dict(zip(function.__code__.co_freevars, function.__closure__ or (), strict=True))
            call, model, fn = held[HELD].cell_contents, held["model"].cell_contents, unwrapped(function)
            if type(call) is not FunctionType:  # which MLX's own says it is an instance of
                inner = with_parameters(model, fn)
                patches.fill(held[HELD], self._wrapped(inner, call, True, described(inner), (model, fn)))

    def _maker(self, original: Callable[..., Any], *, with_value: bool) -> Callable[..., Any]:
        @like(original)
        def make(fun: Callable[..., Any], *args: Any, **kwargs: Any) -> Callable[..., Any]:
            bound, self._making = self._making, None
            call = original(fun, *args, **kwargs)
            return self._wrapped(fun, call, with_value, described(fun, *args, **kwargs), bound)

        return make

    def _wrapped(
        self,
        function: Callable[..., Any],
        call: Callable[..., Any],
        with_value: bool,
        describe: Callable[..., dict[str, Any]],
        bound: Bound,
        *,
        held: bool = True,
    ) -> Callable[..., Any]:
        told: GradientCalls | None = None  # who was there at the last call
        hold: Callable[[Any, Any], None]
        owner, calls = bound[0] if bound else None, 0

        def describe_call(result: Any, args: Any, kwargs: Any) -> Call:
            made = _described(result if with_value else (None, result), describe, bound, args, kwargs)
            made.function = bound[1] if bound else function
            return made

        @like(call)
        def gradients(*args: Any, **kwargs: Any) -> Any:
            nonlocal told, hold, calls, owner
            here = GradientCalls.here
            if here is None:
                return call(*args, **kwargs)
            recorder, inspection, nesting = here._recorder, here._inspection, here._nesting
            holds = held and not nesting.mapped
            if nesting.reached is not None and holds:
                nesting.reached(function, args, kwargs, bound or (None, None))
            if nesting.depth or nesting.tracing or nesting.shadow:
                return here._within(call, args, kwargs, bound, describe_call)
            recorder.gradient_begins()
            inspection.calling()
            if holds and inspection.home.here():
                if told is not here:
                    told, hold = here, here._origin.holding(function, bound)
                hold(args, kwargs)
            nesting.depth += 1
            try:
                result = call(*args, **kwargs)
            except Exception as error:
                here._failed(error, bound)
                raise
            finally:
                nesting.depth -= 1
            calls += 1
            owner = owner if bound or calls > SECOND else here._path(gradients, calls)
            value = result[0] if with_value and not nesting.mapped else None
            recorder.gradient_ends(value, owner, model=bound is not None)
            if inspection.due:
                inspection.called(partial(describe_call, result, args, kwargs))
            return result

        setattr(gradients, MADE_OF, (function, with_value, describe, bound))
        return gradients

    def _path(self, gradients: Any, calls: int) -> Any:
        """Return whose a function's losses are: its own, but for the first function, and those called but once."""
        self._first = self._first or gradients
        return None if calls < SECOND or gradients is self._first else gradients

    def _within(
        self, call: Callable[..., Any], args: Any, kwargs: Any, bound: Bound, described: Callable[..., Call]
    ) -> Any:
        """Make a gradient call within another call of MLX's; tell of it where that is a compiled function's."""
        nesting = self._nesting
        tells = not (nesting.depth or nesting.mapped)
        nesting.depth += 1
        try:
            result = call(*args, **kwargs)
        except ValueError:
            self._tell_untrainable(bound)
            raise
        finally:
            nesting.depth -= 1
        if tells:
            self._inside(partial(described, result, args, kwargs))
        return result

    def _inside(self, described: Callable[[], Call]) -> None:
        """Tell of a gradient call in a compiled function, which is being traced, or run by us to look into it."""
        if self._nesting.shadow:
            self._inspection.called(described)
            return
        with self._recorder.carefully():
            made = described()
            self._nesting.tracing[-1].calls.append(made)
            self._inspection.called_in_trace(made)

    def _failed(self, error: Exception, bound: Bound) -> None:
        self._recorder.fact(
            "gradient failed",
            at=":".join(map(str, sites.raising(error.__traceback__))),
            type=type(error).__name__,
            message=str(error)[:300],
        )
        if isinstance(error, ValueError):
            self._tell_untrainable(bound)

    def _tell_untrainable(self, bound: Bound) -> None:
        if bound and not graph.leaves(bound[0].trainable_parameters()):
            self._recorder.nothing_trainable(sites.calling())


def _described(
    result: tuple[Any, Any], describe: Callable[..., dict[str, Any]], bound: Bound, args: Any, kwargs: Any
) -> Call:
    """Put together what the inspectors are told of a gradient call."""
    parameters = describe(args, kwargs, taken=True)
    if bound:
        describe, args = described(bound[1], ()), args[1:]
    value, gradients = result
    loss = value[0] if isinstance(value, (tuple, list)) and value else value
    return Call(
        model=bound[0] if bound else None,
        parameters=parameters,
        data=describe(args, kwargs),
        loss=loss,
        gradients=gradients,
        site=sites.calling(),
    )


def made_by(maker: Any) -> Iterator[FunctionType]:
    """List the functions that `nn.value_and_grad` has made and somebody keeps; none of a release that makes others."""
    while hasattr(maker, "__wrapped__"):
        maker = maker.__wrapped__
    consts = maker.__code__.co_consts if isinstance(maker, FunctionType) else ()
    for code in [one for one in consts if isinstance(one, CodeType)]:
        if {HELD, "model"} <= set(code.co_freevars):
            every = [one for one in gc.get_objects() if type(one) is FunctionType]
            yield from (one for one in every if one.__code__ is code and hasattr(one, "__wrapped__"))


def unwrapped(function: Any) -> Callable[..., Any]:
    """Return the function that another one was made of."""
    found: Callable[..., Any] = function.__wrapped__
    return found


def with_parameters(model: Any, fn: Callable[..., Any]) -> Callable[..., Any]:
    """Return what MLX takes the gradient of: a function of the parameters."""

    def inner(params: Any, *args: Any, **kwargs: Any) -> Any:
        model.update(params)
        return fn(*args, **kwargs)

    return inner
