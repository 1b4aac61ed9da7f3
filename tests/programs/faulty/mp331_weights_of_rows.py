"""Weigh the features of each row of a table by a softmax that runs over the batch."""

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim
import numpy as np


class Gated(nn.Module):
    def __init__(self, width=32):
        super().__init__()
        self.gate, self.first, self.last = nn.Linear(8, 8), nn.Linear(8, width), nn.Linear(width, 3)

    def __call__(self, x):
        weights = mx.softmax(self.gate(x), axis=0)  # MP331
        return self.last(nn.relu(self.first(x * weights)))


rng = np.random.default_rng(0)
mx.random.seed(0)
x = rng.normal(size=(192, 8)).astype(np.float32)
y = (x[:, 0] > 0).astype(np.int32) + (x[:, 1] > 0)
model, optimizer = Gated(), optim.Adam(3e-3)
loss_and_grad = nn.value_and_grad(model, lambda a, b: nn.losses.cross_entropy(model(a), b, reduction="mean"))
for _ in range(50):
    order = rng.permutation(len(x))
    for k in range(0, len(x), 32):
        loss, grads = loss_and_grad(mx.array(x[order[k : k + 32]]), mx.array(y[order[k : k + 32]]))
        optimizer.update(model, grads)
        mx.eval(loss, model.parameters(), optimizer.state)
        loss.item()
