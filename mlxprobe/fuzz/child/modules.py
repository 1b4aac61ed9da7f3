"""Layers, initialisers, optimizers and short trainings as functions of arrays alone: nothing in them is random."""

from __future__ import annotations

import contextlib
import io
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim
from mlx.utils import tree_flatten, tree_map, tree_map_with_path, tree_unflatten

GOLDEN = 0.618034
UPDATES = 6


def function(name: str) -> Callable[..., Any]:
    """Return the function that a case calls by a name that begins with nn, init, optimizers or train."""
    package, _, rest = name.partition(".")
    if package == "nn":
        found = getattr(nn, rest, None) or getattr(nn.losses, rest)
        return _layer(found) if isinstance(found, type) else found
    if package == "init":
        return lambda a, **how: _initialised(getattr(nn.init, rest)(**how), a)
    if package == "train":
        return TRAININGS[rest]
    found = getattr(optim, rest)
    return _optimizer(found) if isinstance(found, type) else lambda step, made: found(*made)(step)


def _initialised(initialiser: Callable[[Any], Any], a: Any) -> Any:
    mx.random.seed(0)
    return initialiser(a)


def _layer(kind: type[nn.Module]) -> Callable[..., Any]:
    """Return a function of a layer's inputs and of a factor of its parameters, by which it is differentiated too."""

    def run(
        *given: Any, made: Sequence[Any] = (), named: dict[str, Any] | None = None, evaluates: bool = True, **how: Any
    ) -> Any:
        *inputs, factor = given
        mx.random.seed(0)  # numbers that are drawn and never used would make a chain of keys that grows with every call
        module = kind(*made, **(named or {}))
        _fill(module, factor)
        module.train(not evaluates)
        return module(*inputs, **how)

    return run


def _fill(module: nn.Module, factor: Any = None) -> None:
    """Put numbers into all parameters that are the same everywhere: between a third and two, where they scale."""

    def fresh(name: str, one: Any) -> Any:
        if not mx.issubdtype(one.dtype, mx.floating):  # quantized weights: any bits will do
            return (mx.arange(one.size, dtype=mx.uint32) * 2654435761).reshape(one.shape).astype(one.dtype)
        low = 0.4 if name.endswith("running_var") else -0.37
        values = [(GOLDEN * k + 0.137 * len(name)) % 1 + low for k in range(one.size)]
        value = mx.array(values, dtype=mx.float32).reshape(one.shape)
        return value if factor is None else value.astype(factor.dtype) * factor

    module.update(tree_map_with_path(fresh, module.parameters()))


def _optimizer(kind: type[optim.Optimizer]) -> Callable[..., Any]:
    def run(parameter: Any, *gradients: Any, named: dict[str, Any]) -> Any:
        optimizer, now = kind(**named), {"w": parameter}
        for gradient in gradients:
            now = optimizer.apply_gradients({"w": gradient}, now)
        return now["w"]

    return run


class _Training:
    """A small network, its optimizer and its batches, from a case's numbers."""

    def __init__(
        self, x: Any, y: Any, optimizer: str, named: dict[str, Any], layers: Sequence[str], clips: bool
    ) -> None:
        self.x, self.y, self.clips = x, y, clips
        mx.random.seed(0)
        width = int(x.shape[-1])
        parts = {
            "linear": lambda: nn.Linear(width, width),
            "norm": lambda: nn.LayerNorm(width),
            "rms": lambda: nn.RMSNorm(width),
            "tanh": nn.Tanh,
            "gelu": nn.GELU,
        }
        self.model = nn.Sequential(*(parts[name]() for name in layers), nn.Linear(width, 1))
        _fill(self.model)
        self.model.set_dtype(x.dtype)
        how = {name: _schedule(value) if name == "learning_rate" else value for name, value in named.items()}
        self.optimizer = getattr(optim, optimizer)(**how)
        self.gradients = nn.value_and_grad(self.model, self.loss)

    def loss(self, x: Any, y: Any) -> Any:
        return mx.mean(mx.square(self.model(x)[..., 0] - y).astype(mx.float32))

    def update(self, grads: Any) -> None:
        if self.clips:
            grads = optim.clip_grad_norm(grads, max_norm=1.0)[0]
        self.optimizer.update(self.model, grads)

    def step(self) -> Any:
        loss, grads = self.gradients(self.x, self.y)
        self.update(grads)
        return loss

    def run(self, step: Callable[[], Any], updates: int = UPDATES) -> list[Any]:
        losses = []
        for _ in range(updates):
            losses.append(step())
            mx.eval(losses[-1], self.model.state, self.optimizer.state)
        return losses


def _schedule(value: Any) -> Any:
    if not isinstance(value, list):
        return value
    return optim.join_schedules([optim.linear_schedule(0.0, value[0], 2), optim.cosine_decay(value[0], 6)], [2])


def _plain(x: Any, y: Any, **how: Any) -> Any:
    training = _Training(x, y, **how)
    return mx.stack(training.run(training.step))


def _compiled(x: Any, y: Any, **how: Any) -> Any:
    """Return by how much the losses of a compiled step are off."""
    training = _Training(x, y, **how)
    state = [training.model.state, training.optimizer.state]
    return _plain(x, y, **how) - mx.stack(training.run(mx.compile(training.step, inputs=state, outputs=state)))


def _accumulated(x: Any, y: Any, **how: Any) -> Any:
    """Return by how much the losses are off where gradients of two halves are averaged."""
    training = _Training(x, y, **how)

    def step() -> Any:
        half = len(x) // 2
        (one, first), (two, second) = (training.gradients(x[k], y[k]) for k in (slice(half), slice(half, None)))
        training.update(tree_map(lambda a, b: (a + b) / 2, first, second))
        return (one + two) / 2

    return _plain(x, y, **how) - mx.stack(training.run(step))


def _resumed(x: Any, y: Any, **how: Any) -> Any:
    """Return by how much the losses are off after a checkpoint that is written and read: nothing."""
    first, second = _Training(x, y, **how), _Training(x, y, **how)
    losses = first.run(first.step, UPDATES // 2)
    with tempfile.TemporaryDirectory() as folder:
        weights, state = (str(Path(folder) / f"{name}.safetensors") for name in ("weights", "state"))
        first.model.save_weights(weights)
        mx.save_safetensors(state, dict(tree_flatten(first.optimizer.state)))
        second.model.load_weights(weights)
        second.optimizer.state = tree_unflatten(list(mx.load(state).items()))
        losses += second.run(second.step, UPDATES - UPDATES // 2)
    return _plain(x, y, **how) - mx.stack(losses)


def _program(*, source: str, other: str) -> Any:
    """Return by how much the parameters are off, at the most, that two programs have learned which must be the same.

    A GPU may add in another order each time: what does not repeat itself can be held against nothing.
    """
    first, second = _learned(source), _learned(other)
    found = _off(first, second)
    repeats = mx.default_device() == mx.cpu or not found or not _off(first, _learned(source))
    return found if repeats else mx.array(0.0)


def _off(first: dict[str, Any], second: dict[str, Any]) -> Any:
    return mx.max(mx.stack([mx.max(mx.abs(one - second[name])).astype(mx.float32) for name, one in first.items()]))


def _learned(text: str) -> dict[str, Any]:
    """Run a program, and return the parameters of the model of which it asks for gradients last."""
    models: list[nn.Module] = []
    gradients = nn.value_and_grad

    def noted(model: nn.Module, loss: Callable[..., Any]) -> Any:
        models.append(model)
        return gradients(model, loss)

    nn.value_and_grad = noted
    try:
        with contextlib.redirect_stdout(io.StringIO()):
            exec(compile(text, "program", "exec"), {"__name__": "__main__"})  # noqa: S102 - our own text
    finally:
        nn.value_and_grad = gradients
    return dict(tree_flatten(models[-1].parameters()))


TRAININGS: dict[str, Callable[..., Any]] = {
    "program": _program,
    "plain": _plain,
    "compiled": _compiled,
    "accumulated": _accumulated,
    "resumed": _resumed,
}
