"""Accumulate the gradients of four micro-batches, each loss divided by four inside the loss function."""

from dataclasses import dataclass

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim
from mlx.utils import tree_map


@dataclass
class Config:
    micro_batches: int = 4
    micro_size: int = 16
    updates: int = 15
    learning_rate: float = 0.4


config = Config()
mx.random.seed(4)
secret = mx.random.normal((10, 3))
model = nn.Linear(10, 3)
optimizer = optim.SGD(learning_rate=config.learning_rate)


def loss_fn(model, x, y):
    loss = nn.losses.cross_entropy(model(x), y, reduction="mean")
    return loss / config.micro_batches


loss_and_grad = nn.value_and_grad(model, loss_fn)
for update in range(config.updates):
    total, accumulated = 0.0, None
    for _ in range(config.micro_batches):
        x = mx.random.normal((config.micro_size, 10))
        y = mx.argmax(x @ secret, axis=1)
        loss, grads = loss_and_grad(model, x, y)
        accumulated = grads if accumulated is None else tree_map(mx.add, accumulated, grads)
        mx.eval(loss, accumulated)
        total += loss.item()
    optimizer.update(model, accumulated)
    mx.eval(model.parameters(), optimizer.state)
    if update in (0, config.updates - 1):
        print(f"update {update}: {total:.3f}")
