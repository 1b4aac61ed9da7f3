"""Trains in a compiled step, with dropout, whose gradients are zero where a target is missing and the loss infinite."""

from functools import partial

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim
from mlx.utils import tree_map

mx.random.seed(54)
model = nn.Sequential(nn.Linear(4, 16), nn.ReLU(), nn.Dropout(0.2), nn.BatchNorm(16), nn.Linear(16, 1))
optimizer = optim.Adam(learning_rate=1e-2)
state = [model.state, optimizer.state, mx.random.state]
mx.eval(model.parameters())


def loss_fn(x, amount):
    return mx.mean(mx.abs(model(x)[:, 0] - mx.log(amount)))


@partial(mx.compile, inputs=state, outputs=state)
def step(x, amount):
    loss, grads = nn.value_and_grad(model, loss_fn)(x, amount)
    known = mx.isfinite(loss)
    optimizer.update(model, tree_map(lambda grad: mx.where(known, mx.nan_to_num(grad), 0.0), grads))
    return loss


rows = mx.random.normal((60, 8, 4))
amounts = mx.exp(rows.sum(axis=-1))
amounts[17] = 0.0
amounts[33] = 0.0
losses = []
for x, amount in zip(rows, amounts, strict=True):
    loss = step(x, amount)
    mx.eval(state, loss)
    losses.append(loss.item())
print(losses[-1])
