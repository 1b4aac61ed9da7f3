"""Change one thing of a program without editing it: wrap MLX's entry points after the hooks, which see the change."""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable
from functools import partial
from typing import Any

from mlxprobe.agent.hooks import alterations
from mlxprobe.agent.intercept.intercepts import Intercepts
from mlxprobe.agent.patching import static
from mlxprobe.agent.patching.bound_arguments import Given
from mlxprobe.agent.patching.signatures import like

MAX_NORM = 1.0


class Interventions:
    """Apply the interventions of these names, as MLX's modules are imported.

    A program that makes no optimizer updates by hand: there, what is to be done to an update is done to the gradients,
    and the parameters are evaluated by the next gradient call, which is given them.
    """

    def __init__(self, names: str) -> None:
        self._names = frozenset(name for name in names.split(",") if name)
        self._gradients = 0  # calls since the last update
        self._optimizers = 0  # that were made
        self._updating = 0  # updates under way, one within the other
        self._made: dict[tuple[int, int], Callable[..., Any]] = {}
        if "spawn" in self._names:
            spawn_always()

    def observe(self, intercepts: Intercepts) -> None:
        """Take the place of what is to be changed: after the hooks, which see the change."""
        if not self._names:
            return
        optimizers = "mlx.optimizers.optimizers."
        if "no-compile" in self._names:
            intercepts.around("mlx.core.compile", lambda _: as_it_is)
        elif "capture-random" in self._names:
            intercepts.around("mlx.core.compile", capturing)
        if "causal-mask" in self._names:
            intercepts.around("mlx.core.fast.scaled_dot_product_attention", attending)
        intercepts.around("mlx.core.value_and_grad", partial(self._counted, with_value=True))
        intercepts.around("mlx.core.grad", partial(self._counted, with_value=False))
        intercepts.around("mlx.nn.utils.value_and_grad", self._of_modules)
        intercepts.around(f"{optimizers}Optimizer.__init__", self._making)
        if "rate-tenth" in self._names:
            intercepts.around(f"{optimizers}Optimizer.learning_rate", self._rate)
        intercepts.around(f"{optimizers}*.update", self._update)
        intercepts.around(f"{optimizers}*.apply_gradients", self._applying)

    def imported(self, mx: Any) -> None:
        """Change what `mlx.core` is set to, before it is wrapped."""
        if "cpu" in self._names:
            mx.set_default_device(mx.Device(mx.cpu))
        if "no-compile" in self._names:
            mx.disable_compile()

    def _counted(self, original: Callable[..., Any], *, with_value: bool) -> Callable[..., Any]:
        mx = sys.modules["mlx.core"]

        @functools.wraps(original, assigned=("__doc__",), updated=())
        def make(*args: Any, **kwargs: Any) -> Callable[..., Any]:
            call = original(*args, **kwargs)

            def gradients(*fargs: Any, **fkwargs: Any) -> Any:
                if "float32" in self._names:
                    fargs, fkwargs = alterations.single_precision(fargs), alterations.single_precision(fkwargs)
                if "eval-update" in self._names and not self._optimizers:
                    alterations.evaluate(mx, fargs)
                result = call(*fargs, **fkwargs)
                self._gradients += 1
                if with_value and "eval-loss" in self._names:
                    alterations.evaluate(mx, result[0])
                if self._optimizers:
                    return result
                if "clear-cache" in self._names:
                    mx.clear_cache()
                return (result[0], self._by_hand(result[1])) if with_value else self._by_hand(result)

            return gradients

        return make

    def _by_hand(self, gradients: Any) -> Any:
        """Change gradients that no optimizer will be given."""
        if "skip-update" in self._names:
            gradients = alterations.scaled(gradients, 0)
        if "clip" in self._names:
            gradients = alterations.clipped(gradients, MAX_NORM)
        if "rate-tenth" in self._names:
            gradients = alterations.scaled(gradients, alterations.TENTH)
        return gradients

    def _of_modules(self, original: Callable[..., Any]) -> Callable[..., Any]:
        given = Given(original, "model", "fn")

        @like(original)
        def value_and_grad(*args: Any, **kwargs: Any) -> Callable[..., Any]:
            model, fn = given(args, kwargs)
            if "float32" in self._names:
                alterations.single_precision(model)
            key = id(model), id(fn)
            if key not in self._made or "reuse-gradients" not in self._names:
                self._made[key] = original(*args, **kwargs)
            call = self._made[key]
            return in_training(model, call) if "train-mode" in self._names else call

        return value_and_grad

    def _making(self, original: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(original)
        def init(optimizer: Any, *args: Any, **kwargs: Any) -> None:
            self._optimizers += 1
            original(optimizer, *args, **kwargs)

        return init

    def _rate(self, original: Any) -> property:
        """Return the rate as a property that is a tenth within updates, and itself to whoever reads or sets it."""

        def read(optimizer: Any) -> Any:
            rate = original.fget(optimizer)
            return rate * alterations.TENTH if self._updating else rate

        return property(read, original.fset)

    def _applying(self, original: Callable[..., Any]) -> Callable[..., Any]:
        """Change an update that is made without `Optimizer.update`."""
        given = Given(original, "gradients", "self", "parameters")

        @functools.wraps(original)
        def apply_gradients(*args: Any, **kwargs: Any) -> Any:
            if self._updating:  # by `update`, or by an optimizer of several
                return original(*args, **kwargs)
            gradients, optimizer, parameters = given(args, kwargs)
            if "skip-update" in self._names:
                return alterations.unchanged(gradients, parameters)
            result = self._apply(lambda changed: given.call(original, args, kwargs, changed), gradients)
            self._finish(optimizer, result)
            return result

        return apply_gradients

    def _update(self, original: Callable[..., Any]) -> Callable[..., Any]:
        given = Given(original, "gradients", "self", "model")

        @functools.wraps(original)
        def update(*args: Any, **kwargs: Any) -> Any:
            if "skip-update" in self._names:
                return None
            gradients, optimizer, model = given(args, kwargs)
            result = self._apply(lambda changed: given.call(original, args, kwargs, changed), gradients)
            self._finish(optimizer, model.parameters() if static.is_module(model) else model)
            return result

        return update

    def _apply(self, apply: Callable[[Any], Any], gradients: Any) -> Any:
        calls, self._gradients = self._gradients, 0
        if "freeze-base" in self._names:
            gradients = alterations.adapters_alone(gradients)
        if "average" in self._names and calls > 1:
            gradients = alterations.scaled(gradients, 1 / calls)
        if "clip" in self._names:
            gradients = alterations.clipped(gradients, MAX_NORM)
        self._updating += 1
        try:
            return apply(gradients)
        finally:
            self._updating -= 1

    def _finish(self, optimizer: Any, parameters: Any) -> None:
        import mlx.core as mx

        if "eval-update" in self._names:
            alterations.evaluate(mx, parameters, optimizer.state)
        if "clear-cache" in self._names:
            mx.clear_cache()


def spawn_always() -> None:
    """Start worker processes anew where the program asks for forks."""
    import multiprocessing
    from multiprocessing import context

    original = context.BaseContext.get_context

    def get_context(self: Any, *_: Any, **__: Any) -> Any:
        return original(self, "spawn")

    for kind in (context.BaseContext, context.DefaultContext):
        setattr(kind, "get_context", get_context)  # noqa: B010
    multiprocessing.set_start_method("spawn", force=True)
    for name, replaced in (("get_context", lambda *_: multiprocessing), ("set_start_method", lambda *_, **__: None)):
        setattr(multiprocessing, name, replaced)


def in_training(model: Any, call: Callable[..., Any]) -> Callable[..., Any]:
    """Put a model into training mode before each call."""

    @functools.wraps(call)
    def gradients(*args: Any, **kwargs: Any) -> Any:
        model.train()
        return call(*args, **kwargs)

    return gradients


def capturing(original: Callable[..., Any]) -> Callable[..., Any]:
    """Let `mx.compile` know of the random state; MLX's own functions are compiled as they are."""
    given = Given(original, "inputs", "outputs", "fun")

    @like(original)
    def compiled(*args: Any, **kwargs: Any) -> Any:
        inputs, outputs, fun = given(args, kwargs)
        if not static.whence(fun).startswith("mlx."):
            states = (alterations.with_random_state(sys.modules["mlx.core"], one) for one in (inputs, outputs))
            args, kwargs = given.put(args, kwargs, *states)
        return original(*args, **kwargs)

    return compiled


def attending(original: Callable[..., Any]) -> Callable[..., Any]:
    """Let attention of a sequence to itself see nothing that comes later."""
    given = Given(original, "q", "k")

    @like(original)
    def scaled_dot_product_attention(*args: Any, **kwargs: Any) -> Any:
        queries, keys = given(args, kwargs)
        mask = alterations.causal(sys.modules["mlx.core"], queries, keys, kwargs.get("mask"))
        return original(*args, **{**kwargs, "mask": mask})

    return scaled_dot_product_attention


def as_it_is(fun: Callable[..., Any], *_: Any, **__: Any) -> Callable[..., Any]:
    """Leave a function uncompiled; to the hooks its steps are like any others."""
    return fun
