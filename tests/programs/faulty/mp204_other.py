"""Trains a ranking model over windows of five micro-batches for as long as its stream of pairs lasts."""

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim
from mlx.utils import tree_map

WINDOW, STREAM = 5, 48

mx.random.seed(16)
scorer = nn.Sequential(nn.Linear(6, 16), nn.Tanh(), nn.Linear(16, 1, bias=False))
optimizer = optim.Adam(learning_rate=3e-2)
taste = mx.random.normal((6, 1))


def pairs(count):
    for _ in range(count):
        first, second = mx.random.normal((2, 24, 6))
        preferred = first @ taste > second @ taste
        yield mx.where(preferred, first, second), mx.where(preferred, second, first)


def ranking_loss(better, worse):
    return nn.softplus(scorer(worse) - scorer(better)).mean()


loss_and_grad = nn.value_and_grad(scorer, ranking_loss)
total = None
for number, (better, worse) in enumerate(pairs(STREAM), start=1):
    loss, grads = loss_and_grad(better, worse)  # MP204
    grads = tree_map(lambda grad: grad / WINDOW, grads)
    total = grads if total is None else tree_map(mx.add, total, grads)
    mx.eval(loss, total)
    if number % WINDOW == 0:
        optimizer.update(scorer, total)
        mx.eval(scorer.parameters(), optimizer.state)
        total = None
        print(f"after {number} pairs: {loss.item():.3f}")
