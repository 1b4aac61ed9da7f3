"""A deep linear network with dropout, and a training step of it as it stands before compilation."""

from collections.abc import Callable, Iterator

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim

STEPS = 60
DEPTH, WIDTH = 12, 16  # a graph long enough for its tracing to cost more than its running; few kinds of kernels


class Training:
    """A network near the identity, its optimizer, and all the state that a step of theirs changes."""

    def __init__(self) -> None:
        mx.random.seed(0)
        self.model = nn.Sequential(nn.Dropout(0.1), *(nn.Linear(WIDTH, WIDTH, bias=False) for _ in range(DEPTH)))
        self.model.apply(lambda weight: mx.eye(WIDTH) + 0.02 * mx.random.normal(weight.shape))
        self.optimizer = optim.SGD(0.01)
        self.optimizer.init(self.model.trainable_parameters())
        self.state = [self.model.state, self.optimizer.state, mx.random.state]
        mx.eval(self.state)

    def step(self, x: mx.array, y: mx.array, _: int = 0) -> mx.array:
        """Update once; the step's number, where it is given, plays no part."""
        loss, grads = nn.value_and_grad(self.model, squared_error)(self.model, x, y)
        self.optimizer.update(self.model, grads)
        return loss

    def run(self, step_of: Callable[[int], Callable[[mx.array, mx.array], mx.array]]) -> nn.Module:
        """Train with the step that `step_of` gives for each number, and evaluate what it changed."""
        for number, (x, y) in enumerate(batches()):
            loss = step_of(number)(x, y)
            mx.eval(loss, self.model.parameters(), self.optimizer.state)
            loss.item()
        return self.model


def squared_error(model: nn.Module, x: mx.array, y: mx.array) -> mx.array:
    """Return the squared error of a row, on average."""
    error = (model(x) - y).flatten()
    return mx.inner(error, error) / len(x)


def batches() -> Iterator[tuple[mx.array, mx.array]]:
    """Yield inputs, and what an unknown linear map makes of them."""
    unknown = mx.random.normal((WIDTH, WIDTH), key=mx.random.key(0)) / WIDTH**0.5
    for step in range(STEPS):
        x = mx.random.normal((32, WIDTH), key=mx.random.key(1 + step))
        yield x, x @ unknown
