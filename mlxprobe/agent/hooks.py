"""Wrap MLX's entry points, so that the recorder hears of gradients, updates and evaluations."""

from __future__ import annotations

import functools
import time
from collections.abc import Callable
from typing import Any

from mlxprobe.agent import sites
from mlxprobe.agent.recorder import Recorder

READERS = ("item", "tolist", "__float__", "__int__", "__bool__", "__array__", "__repr__", "__str__", "__format__")
TREES = (list, tuple, dict)


def like(original: Callable[..., Any]) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Return a decorator as `functools.wraps`; functions that MLX 0.26 makes have a `__qualname__` of None."""
    named = [name for name in functools.WRAPPER_ASSIGNMENTS if isinstance(getattr(original, name, None), str)]
    return functools.wraps(original, assigned=named, updated=())


class Hooks:
    """The wrappers of one process. `depth` tells calls of the user's from MLX's calls of itself."""

    def __init__(self, recorder: Recorder) -> None:
        self.recorder = recorder
        self.depth = 0
        self.tracing: list[dict[str, bool]] = []

    def install_core(self, mx: Any) -> None:
        """Wrap what `mlx.core` offers: evaluations, conversions, gradients, compilation."""
        for name in ("eval", "async_eval"):
            setattr(mx, name, self._evaluation(getattr(mx, name), mx))
        for name in READERS:
            if name in vars(mx.array):
                setattr(mx.array, name, self._reader(getattr(mx.array, name)))
        for name in ("value_and_grad", "grad"):
            setattr(mx, name, self._gradient_maker(getattr(mx, name), with_value=name == "value_and_grad"))
        mx.compile = self._compile(mx.compile)
        mx.array.__setitem__ = self._module_update(mx.array.__setitem__)  # parameters may be written in place

    def install_modules(self, base: Any) -> None:
        """Wrap what a module does to its parameters (`mlx.nn.layers.base`)."""
        module = base.Module
        module.update = self._module_update(module.update)
        module.load_weights = self._load_weights(module.load_weights)

    def install_optimizers(self, optimizers: Any) -> None:
        """Wrap the updates of every optimizer class (`mlx.optimizers.optimizers`)."""
        for kind in vars(optimizers).values():
            if isinstance(kind, type) and issubclass(kind, optimizers.Optimizer):
                for name in ("update", "apply_gradients"):
                    if name in vars(kind):
                        setattr(kind, name, self._update(getattr(kind, name), applies=name == "update"))

    def _evaluation(self, original: Callable[..., None], mx: Any) -> Callable[..., None]:
        recorder = self.recorder

        @like(original)
        def evaluate(*args: Any) -> None:
            began = time.monotonic()
            original(*args)
            if any(isinstance(arg, (mx.array, *TREES)) for arg in args):
                recorder.evaluated(began)
            else:
                recorder.fact("ineffective evaluation", kinds=[type(arg).__name__ for arg in args])

        return evaluate

    def _reader(self, original: Callable[..., Any]) -> Callable[..., Any]:
        recorder = self.recorder

        @like(original)
        def read(array: Any, *args: Any, **kwargs: Any) -> Any:
            began = time.monotonic()
            value = original(array, *args, **kwargs)
            recorder.evaluated(began)
            recorder.read(array, value)
            return value

        return read

    def _gradient_maker(self, original: Callable[..., Any], *, with_value: bool) -> Callable[..., Any]:
        @like(original)
        def make(fun: Callable[..., Any], *args: Any, **kwargs: Any) -> Callable[..., Any]:
            return self._gradient_call(original(fun, *args, **kwargs), with_value)

        return make

    def _gradient_call(self, call: Callable[..., Any], with_value: bool) -> Callable[..., Any]:
        recorder = self.recorder

        @like(call)
        def gradients(*args: Any, **kwargs: Any) -> Any:
            if self.depth:
                return call(*args, **kwargs)
            if self.tracing:
                self.tracing[-1]["gradients"] = True
                return call(*args, **kwargs)
            recorder.gradient_begins()
            self.depth += 1
            try:
                result = call(*args, **kwargs)
            except Exception as error:
                recorder.fact(
                    "gradient failed",
                    sites.raising(error.__traceback__),
                    type=type(error).__name__,
                    message=str(error)[:300],
                )
                raise
            finally:
                self.depth -= 1
            recorder.gradient_ends(result[0] if with_value else None)
            return result

        return gradients

    def _update(self, original: Callable[..., Any], *, applies: bool) -> Callable[..., Any]:
        @like(original)
        def update(optimizer: Any, *args: Any, **kwargs: Any) -> Any:
            if self.depth:
                return original(optimizer, *args, **kwargs)
            self.depth += 1
            try:
                result = original(optimizer, *args, **kwargs)
            finally:
                self.depth -= 1
            if self.tracing:
                self.tracing[-1]["updates"] = True
                return result
            trees = [arg for arg in (*args, *kwargs.values()) if isinstance(arg, dict)]
            model = trees[0 if applies else -1] if trees else {}
            self.recorder.updated(model, optimizer, applied=applies)
            return result

        return update

    def _module_update(self, original: Callable[..., Any]) -> Callable[..., Any]:
        @like(original)
        def update(module: Any, *args: Any, **kwargs: Any) -> Any:
            if not self.depth:
                self.recorder.module_updated()
            return original(module, *args, **kwargs)

        return update

    def _load_weights(self, original: Callable[..., Any]) -> Callable[..., Any]:
        @like(original)
        def load_weights(module: Any, file_or_weights: Any, *args: Any, **kwargs: Any) -> Any:
            from mlxprobe.agent.loading import differences

            before = differences(module, file_or_weights)
            if before:
                self.recorder.fact("weights differ", None, **before)
            return original(module, file_or_weights, *args, **kwargs)

        return load_weights

    def _compile(self, original: Callable[..., Any]) -> Callable[..., Any]:
        @like(original)
        def compile_(fun: Callable[..., Any], *args: Any, **kwargs: Any) -> Callable[..., Any]:
            if (getattr(fun, "__module__", None) or "").startswith("mlx."):
                plain: Callable[..., Any] = original(fun, *args, **kwargs)
                return plain
            seen = {"gradients": False, "updates": False}

            @like(fun)
            def traced(*fargs: Any, **fkwargs: Any) -> Any:
                self.tracing.append(seen)
                try:
                    return fun(*fargs, **fkwargs)
                finally:
                    self.tracing.pop()

            return self._compiled_call(original(traced, *args, **kwargs), seen)

        return compile_

    def _compiled_call(self, call: Callable[..., Any], seen: dict[str, bool]) -> Callable[..., Any]:
        recorder = self.recorder

        @like(call)
        def compiled(*args: Any, **kwargs: Any) -> Any:
            if self.tracing or self.depth:
                return call(*args, **kwargs)
            recorder.gradient_begins()
            result = call(*args, **kwargs)
            if seen["gradients"]:
                recorder.gradient_ends(result)
            if seen["updates"]:
                recorder.updated({}, {}, applied=True)
            return result

        return compiled
