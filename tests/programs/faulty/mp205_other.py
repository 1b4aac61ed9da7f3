"""Fits a small network to a noisy curve with a hand-written gradient step."""

import mlx.core as mx
import mlx.nn as nn
from mlx.utils import tree_map

LEARNING_RATE, STEPS = 0.1, 40


class Curve(nn.Module):
    def __init__(self, hidden=20):
        super().__init__()
        self.inner = nn.Linear(1, hidden)
        self.outer = nn.Linear(hidden, 1)

    def __call__(self, x):
        return self.outer(nn.tanh(self.inner(x)))


mx.random.seed(18)
x = mx.linspace(-2, 2, 80)[:, None]
y = x**2 - 1 + 0.05 * mx.random.normal(x.shape)
curve = Curve()
mx.eval(x, y, curve.parameters())

loss_and_grad = nn.value_and_grad(curve, lambda x, y: mx.mean(mx.abs(curve(x) - y)))
losses = []
for _ in range(STEPS):
    loss, grads = loss_and_grad(x, y)  # MP205
    weights = tree_map(lambda weight, grad: weight - LEARNING_RATE * grad, curve.trainable_parameters(), grads)
    mx.eval(loss, weights)
    losses.append(loss.item())

print(f"{losses[0]:.4f} -> {losses[-1]:.4f}")

# also: MP306
