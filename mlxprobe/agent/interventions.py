"""Change one thing of a program without editing it: wrap MLX's entry points after the hooks, which see the change."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

MAX_NORM = 1.0


class Interventions:
    """Apply the interventions of these names, as MLX's modules are imported."""

    def __init__(self, names: str) -> None:
        self._names = frozenset(name for name in names.split(",") if name)
        self._gradients = 0  # calls since the last update
        self._made: dict[tuple[int, int], Callable[..., Any]] = {}
        if "spawn" in self._names:
            spawn_always()

    def imported(self, name: str, module: Any) -> None:
        """Wrap what is needed of one of MLX's modules."""
        if not self._names:
            return
        if name == "mlx.core":
            self._core(module)
        elif name == "mlx.nn.utils" and "reuse-gradients" in self._names:
            module.value_and_grad = self._reused(module.value_and_grad)
        elif name == "mlx.optimizers.optimizers":
            for kind in vars(module).values():
                if isinstance(kind, type) and issubclass(kind, module.Optimizer) and "update" in vars(kind):
                    setattr(kind, "update", self._update(vars(kind)["update"], module))  # noqa: B010

    def _core(self, mx: Any) -> None:
        if "cpu" in self._names:
            mx.set_default_device(mx.Device(mx.cpu))
        if "no-compile" in self._names:
            mx.disable_compile()
            mx.compile = as_it_is
        mx.value_and_grad = self._counted(mx.value_and_grad, mx, with_value=True)
        mx.grad = self._counted(mx.grad, mx, with_value=False)

    def _counted(self, original: Callable[..., Any], mx: Any, *, with_value: bool) -> Callable[..., Any]:
        @functools.wraps(original, assigned=("__doc__",), updated=())
        def make(fun: Callable[..., Any], *args: Any, **kwargs: Any) -> Callable[..., Any]:
            call = original(fun, *args, **kwargs)

            def gradients(*fargs: Any, **fkwargs: Any) -> Any:
                result = call(*fargs, **fkwargs)
                self._gradients += 1
                if with_value and "eval-loss" in self._names:
                    evaluate(mx, result[0])
                return result

            return gradients

        return make

    def _reused(self, original: Callable[..., Any]) -> Callable[..., Any]:
        def value_and_grad(model: Any, fn: Callable[..., Any]) -> Callable[..., Any]:
            key = id(model), id(fn)
            if key not in self._made:
                self._made[key] = original(model, fn)
            return self._made[key]

        return value_and_grad

    def _update(self, original: Callable[..., Any], optimizers: Any) -> Callable[..., Any]:
        def update(optimizer: Any, model: Any, gradients: Any) -> Any:
            import mlx.core as mx
            from mlx.utils import tree_map

            calls, self._gradients = self._gradients, 0
            if "skip-update" in self._names:
                return None
            if "average" in self._names and calls > 1:
                gradients = tree_map(lambda one: one / calls, gradients)
            if "clip" in self._names:
                gradients, _ = optimizers.clip_grad_norm(gradients, MAX_NORM)
            result = original(optimizer, model, gradients)
            if "eval-update" in self._names:
                evaluate(mx, model.parameters() if hasattr(model, "parameters") else model, optimizer.state)
            if "clear-cache" in self._names:
                mx.clear_cache()
            return result

        return update


def as_it_is(fun: Callable[..., Any], *_: Any, **__: Any) -> Callable[..., Any]:
    """Leave a function uncompiled; to the hooks its steps are like any others."""
    return fun


def evaluate(mx: Any, *trees: Any) -> None:
    """Evaluate, unless a transformation such as compilation is being traced, where nothing can be."""
    try:
        mx.eval(*trees)
    except (ValueError, RuntimeError):
        return


def spawn_always() -> None:
    """Start worker processes anew where the program asks for forks."""
    import multiprocessing
    from multiprocessing import context

    original = context.BaseContext.get_context

    def get_context(self: Any, method: Any = None) -> Any:
        return original(self, "spawn")

    for kind in (context.BaseContext, context.DefaultContext):
        setattr(kind, "get_context", get_context)  # noqa: B010
    multiprocessing.set_start_method("spawn", force=True)
    for name, replaced in (("get_context", lambda *_: multiprocessing), ("set_start_method", lambda *_, **__: None)):
        setattr(multiprocessing, name, replaced)
