"""Train by subclasses of Optimizer that override `update` or `apply_gradients` themselves."""

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim
from mlx.utils import tree_map


class SignDescent(optim.Optimizer):
    def __init__(self, step):
        super().__init__()
        self.step_size = step

    def update(self, model, gradients):
        self.state["calls"] = self.state.get("calls", mx.array(0)) + 1
        step = self.step_size / (1 + 0.05 * self.state["calls"])
        model.update(tree_map(lambda p, g: p - step * mx.sign(g), model.trainable_parameters(), gradients))


class Preconditioned(optim.Optimizer):
    def __init__(self, rate):
        super().__init__()
        self.rate, self.squares = rate, None

    def apply_gradients(self, gradients, parameters):
        squares = tree_map(mx.square, gradients)
        old = self.squares or squares
        self.squares = tree_map(lambda a, b: 0.9 * a + 0.1 * b, old, squares)
        return tree_map(lambda p, g, s: p - self.rate * g / (mx.sqrt(s) + 1e-6), parameters, gradients, self.squares)


mx.random.seed(11)
x = mx.random.normal((96, 6))
y = mx.sin(x.sum(axis=1, keepdims=True))
for optimizer in (SignDescent(0.02), Preconditioned(0.01)):
    model = nn.Sequential(nn.Linear(6, 16), nn.ReLU(), nn.Linear(16, 1))
    loss_and_grad = nn.value_and_grad(model, lambda m, x, y: nn.losses.mse_loss(m(x), y))
    for step in range(50):
        rows = mx.random.randint(0, 96, (32,))
        loss, gradients = loss_and_grad(model, x[rows], y[rows])
        if isinstance(optimizer, SignDescent):
            optimizer.update(model, gradients)
        else:
            model.update(optimizer.apply_gradients(gradients, model.trainable_parameters()))
        mx.eval(loss, model.parameters(), optimizer.state, getattr(optimizer, "squares", None) or [])
        if step % 10 == 0:
            print(type(optimizer).__name__, step, f"{loss.item():.4f}")
