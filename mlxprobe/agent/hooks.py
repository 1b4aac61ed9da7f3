"""Wrap MLX's entry points, so that the recorder hears of gradients, updates and evaluations."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator
from typing import Any

from mlxprobe.agent import graph, sites
from mlxprobe.agent.arguments import described, like
from mlxprobe.agent.compilation import Compilation
from mlxprobe.agent.inspection import Call, Inspection
from mlxprobe.agent.loading import differences
from mlxprobe.agent.nesting import Nesting
from mlxprobe.agent.recorder import Recorder

READERS = ("item", "tolist", "__float__", "__int__", "__bool__", "__array__", "__repr__", "__str__", "__format__")
WRITERS = ("save", "savez", "savez_compressed", "save_safetensors", "save_gguf")
TREES = (list, tuple, dict)


class Hooks:
    """The wrappers of one process."""

    def __init__(self, recorder: Recorder, inspection: Inspection) -> None:
        self.recorder = recorder
        self.inspection = inspection
        self.nesting = Nesting()
        self.compilation = Compilation(recorder, inspection, self.nesting)
        self.modules: list[tuple[Any, Callable[..., Any]]] = []  # whose gradients `nn.value_and_grad` is computing

    def install_core(self, mx: Any) -> None:
        """Wrap what `mlx.core` offers: evaluations, conversions, gradients, compilation."""
        for name in ("eval", "async_eval"):
            setattr(mx, name, self._evaluation(getattr(mx, name), mx))
        for name in WRITERS:
            setattr(mx, name, self._writer(getattr(mx, name)))
        for name in READERS:
            if name in vars(mx.array):
                setattr(mx.array, name, self._reader(getattr(mx.array, name)))
        for name in ("value_and_grad", "grad"):
            setattr(mx, name, self._gradient_maker(getattr(mx, name), with_value=name == "value_and_grad"))
        mx.compile = self.compilation.wrap(mx.compile)

    def install_module_gradients(self, utils: Any) -> None:
        """Wrap `nn.value_and_grad` (`mlx.nn.utils`), which knows the model."""
        original = utils.value_and_grad

        @like(original)
        def value_and_grad(model: Any, fn: Callable[..., Any]) -> Callable[..., Any]:
            call = original(model, fn)

            @like(fn)
            def gradients(*args: Any, **kwargs: Any) -> Any:
                self.modules.append((model, fn))
                try:
                    return call(*args, **kwargs)
                except ValueError:
                    if not graph.leaves(model.trainable_parameters()):
                        self.recorder.fact("nothing trainable")
                    raise
                finally:
                    self.modules.pop()

            return gradients

        utils.value_and_grad = value_and_grad

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
            with self._threads_told():
                original(*args)
            if any(isinstance(arg, (mx.array, *TREES)) for arg in args):
                recorder.evaluated(began)
            else:
                recorder.fact("ineffective evaluation", kinds=[type(arg).__name__ for arg in args])

        return evaluate

    @contextlib.contextmanager
    def _threads_told(self) -> Iterator[None]:
        """Tell of an array that another thread made, also where the program swallows the exception."""
        try:
            yield
        except RuntimeError as error:
            if "no Stream" in str(error):
                self.recorder.fact("array of another thread", message=str(error)[:200])
            raise

    def _writer(self, original: Callable[..., Any]) -> Callable[..., Any]:
        """Files get values: what writes one evaluates."""

        @like(original)
        def write(*args: Any, **kwargs: Any) -> Any:
            began = time.monotonic()
            result = original(*args, **kwargs)
            self.recorder.evaluated(began)
            return result

        return write

    def _reader(self, original: Callable[..., Any]) -> Callable[..., Any]:
        recorder = self.recorder

        @like(original)
        def read(array: Any, *args: Any, **kwargs: Any) -> Any:
            began = time.monotonic()
            with self._threads_told():
                value = original(array, *args, **kwargs)
            recorder.evaluated(began)
            recorder.read(array, value)
            return value

        return read

    def _gradient_maker(self, original: Callable[..., Any], *, with_value: bool) -> Callable[..., Any]:
        @like(original)
        def make(fun: Callable[..., Any], *args: Any, **kwargs: Any) -> Callable[..., Any]:
            return self._gradient_call(original(fun, *args, **kwargs), with_value, described(fun, *args, **kwargs))

        return make

    def _gradient_call(
        self, call: Callable[..., Any], with_value: bool, describe: Callable[..., dict[str, Any]]
    ) -> Callable[..., Any]:
        recorder = self.recorder

        @like(call)
        def gradients(*args: Any, **kwargs: Any) -> Any:
            if self.nesting.depth:
                return call(*args, **kwargs)
            if self.nesting.tracing:
                self.nesting.tracing[-1]["gradients"] = True
                return call(*args, **kwargs)
            recorder.gradient_begins()
            self.nesting.depth += 1
            try:
                result = call(*args, **kwargs)
            except Exception as error:
                recorder.fact(
                    "gradient failed",
                    at=":".join(map(str, sites.raising(error.__traceback__))),
                    type=type(error).__name__,
                    message=str(error)[:300],
                )
                raise
            finally:
                self.nesting.depth -= 1
            recorder.gradient_ends(result[0] if with_value else None, id(self.modules[-1][0]) if self.modules else 0)
            self.inspection.called(lambda: self._call(result, with_value, describe, args, kwargs))
            return result

        return gradients

    def _call(
        self, result: Any, with_value: bool, describe: Callable[..., dict[str, Any]], args: Any, kwargs: Any
    ) -> Call:
        """Put together what the inspectors are told of a gradient call."""
        model, function = self.modules[-1] if self.modules else (None, None)
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

    def _update(self, original: Callable[..., Any], *, applies: bool) -> Callable[..., Any]:
        @like(original)
        def update(optimizer: Any, *args: Any, **kwargs: Any) -> Any:
            if self.nesting.depth:
                return original(optimizer, *args, **kwargs)
            trees = [arg for arg in (*args, *kwargs.values()) if isinstance(arg, dict)]
            model, gradients = (trees if applies else trees[::-1]) if len(trees) == 2 else ({}, {})
            if not self.nesting.tracing:
                self.inspection.updating(model, optimizer, gradients)
            self.nesting.depth += 1
            try:
                result = original(optimizer, *args, **kwargs)
            finally:
                self.nesting.depth -= 1
            if self.nesting.tracing:
                self.nesting.tracing[-1]["updates"] = True
                self.compilation.updated.append((model, optimizer))
                self.inspection.traced(model, gradients)
                return result
            self.recorder.updated(model, optimizer)
            return result

        return update

    def _module_update(self, original: Callable[..., Any]) -> Callable[..., Any]:
        @like(original)
        def update(module: Any, parameters: Any, *args: Any, **kwargs: Any) -> Any:
            if not self.nesting.depth and self.inspection.due:
                extra = {path for path, _ in graph.named_leaves(parameters)}
                extra -= {path for path, _ in graph.named_leaves(module.parameters())}
                if extra:
                    self.recorder.fact("weights differ", None, extra=sorted(extra)[:5])
            return original(module, parameters, *args, **kwargs)

        return update

    def _load_weights(self, original: Callable[..., Any]) -> Callable[..., Any]:
        @like(original)
        def load_weights(module: Any, file_or_weights: Any, *args: Any, **kwargs: Any) -> Any:
            before = differences(module, file_or_weights)
            if before:
                self.recorder.fact("weights differ", None, **before)
            return original(module, file_or_weights, *args, **kwargs)

        return load_weights
