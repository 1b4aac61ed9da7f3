"""Wrap the transformations that make gradients, and the functions that they return."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from mlxprobe.agent import graph, sites
from mlxprobe.agent.arguments import described, like
from mlxprobe.agent.call import Call
from mlxprobe.agent.inspection import Inspection
from mlxprobe.agent.nesting import Nesting
from mlxprobe.agent.origin.held import Origin
from mlxprobe.agent.recorder import Recorder


class GradientCalls:
    """Tell of every gradient call, with its model where `nn.value_and_grad` made it."""

    def __init__(self, recorder: Recorder, inspection: Inspection, nesting: Nesting, origin: Origin) -> None:
        self._recorder = recorder
        self._inspection = inspection
        self._nesting = nesting
        self._origin = origin
        self._models: list[tuple[Any, Callable[..., Any]]] = []  # whose gradients `nn.value_and_grad` is computing

    def install(self, mx: Any) -> None:
        """Wrap what `mlx.core` offers."""
        for name in ("value_and_grad", "grad"):
            setattr(mx, name, self._maker(getattr(mx, name), with_value=name == "value_and_grad"))

    def install_module_gradients(self, utils: Any) -> None:
        """Wrap `nn.value_and_grad` (`mlx.nn.utils`), which knows the model."""
        original, models = utils.value_and_grad, self._models

        @like(original)
        def value_and_grad(model: Any, fn: Callable[..., Any]) -> Callable[..., Any]:
            call = original(model, fn)

            @like(fn)
            def gradients(*args: Any, **kwargs: Any) -> Any:
                models.append((model, fn))
                try:
                    return call(*args, **kwargs)
                except ValueError:
                    if not graph.leaves(model.trainable_parameters()):
                        self._recorder.fact("nothing trainable")
                    raise
                finally:
                    models.pop()

            return gradients

        utils.value_and_grad = value_and_grad

    def _maker(self, original: Callable[..., Any], *, with_value: bool) -> Callable[..., Any]:
        @like(original)
        def make(fun: Callable[..., Any], *args: Any, **kwargs: Any) -> Callable[..., Any]:
            return self._wrapped(fun, original(fun, *args, **kwargs), with_value, described(fun, *args, **kwargs))

        return make

    def _wrapped(
        self,
        function: Callable[..., Any],
        call: Callable[..., Any],
        with_value: bool,
        describe: Callable[..., dict[str, Any]],
    ) -> Callable[..., Any]:
        recorder, inspection, nesting, models = self._recorder, self._inspection, self._nesting, self._models

        @like(call)
        def gradients(*args: Any, **kwargs: Any) -> Any:
            if nesting.reached is not None:
                nesting.reached(function, args, kwargs, models[-1] if models else (None, None))
            if nesting.depth:
                return call(*args, **kwargs)
            if nesting.tracing or nesting.shadow:
                nesting.depth += 1
                try:
                    result = call(*args, **kwargs)
                finally:
                    nesting.depth -= 1
                self._inside(lambda: self._described(result, with_value, describe, args, kwargs))
                return result
            recorder.gradient_begins()
            if inspection.due:
                inspection.calling()
            if inspection.home.here():
                self._origin.hold(function, args, kwargs, models[-1] if models else None)
            nesting.depth += 1
            try:
                result = call(*args, **kwargs)
            except Exception as error:
                self._failed(error)
                raise
            finally:
                nesting.depth -= 1
            recorder.gradient_ends(result[0] if with_value else None, id(models[-1][0]) if models else 0)
            if inspection.due:
                inspection.called(lambda: self._described(result, with_value, describe, args, kwargs))
            return result

        return gradients

    def _inside(self, described: Callable[[], Call]) -> None:
        """Tell of a gradient call in a compiled function, which is being traced, or run by us to look into it."""
        if self._nesting.shadow:
            self._inspection.called(described)
            return
        with self._recorder.carefully():
            made = described()
            self._nesting.tracing[-1].calls.append(made)
            self._inspection.called_in_trace(made)

    def _failed(self, error: Exception) -> None:
        self._recorder.fact(
            "gradient failed",
            at=":".join(map(str, sites.raising(error.__traceback__))),
            type=type(error).__name__,
            message=str(error)[:300],
        )

    def _described(
        self, result: Any, with_value: bool, describe: Callable[..., dict[str, Any]], args: Any, kwargs: Any
    ) -> Call:
        """Put together what the inspectors are told of a gradient call."""
        model, function = self._models[-1] if self._models else (None, None)
        parameters = describe(args, kwargs, taken=True)
        if function is not None:
            describe, args = described(function, ()), args[1:]
        value, gradients = result if with_value else (None, result)
        loss = value[0] if isinstance(value, (tuple, list)) and value else value
        return Call(
            model=model,
            parameters=parameters,
            data=describe(args, kwargs),
            loss=loss,
            gradients=gradients,
            site=sites.calling(),
        )
