"""Mix experts by a gate whose softmax runs over the batch; the rows of a table are tested one by one."""

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim
import numpy as np


class Mixture(nn.Module):
    def __init__(self, experts=3):
        super().__init__()
        self.gate, self.experts = nn.Linear(5, experts), [nn.Linear(5, 1) for _ in range(experts)]

    def __call__(self, x):
        weights = mx.softmax(self.gate(x), axis=0)  # MP332
        return (weights * mx.concatenate([one(x) for one in self.experts], axis=-1)).sum(axis=-1)


rng = np.random.default_rng(1)
mx.random.seed(1)
model, optimizer = Mixture(), optim.Adam(1e-2)
gradient = nn.value_and_grad(model, lambda x, y: nn.losses.mse_loss(model(x), y))
for k in range(300):
    x = rng.uniform(-2, 2, (64, 5)).astype(np.float32)
    loss, grads = gradient(mx.array(x), mx.array(np.where(x[:, 0] > 0, 2 * x[:, 1], 1 - x[:, 2])))
    optimizer.update(model, grads)
    mx.eval(loss, model.parameters(), optimizer.state)
    if k % 50 == 49:
        print([model(mx.array(x[i : i + 1])).item() for i in range(4)])
