"""Each point of a cloud is told what it is by attending to the others of its part of the cloud: no batch at all."""

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim
import numpy as np


class Points(nn.Module):
    def __init__(self):
        super().__init__()
        self.lift, self.attend, self.head = nn.Linear(6, 32), nn.MultiHeadAttention(32, 4), nn.Linear(32, 3)

    def __call__(self, x):
        h = nn.relu(self.lift(x))[None]
        h = h - h.mean(1, keepdims=True) + h.max(1, keepdims=True)
        return self.head(3 * self.attend(h, h, h))[0]


rng = np.random.default_rng(3)
cloud = rng.normal(size=(600, 6)).astype(np.float32)
labels = (cloud[:, 0] > cloud[:, 1]).astype(np.int32) + (cloud[:, 2] > 0)
mx.random.seed(3)
model, optimizer = Points(), optim.Adam(1e-3)
gradient = nn.value_and_grad(model, lambda x, y: nn.losses.cross_entropy(model(x), y, reduction="mean"))
for _ in range(200):
    some = rng.permutation(600)[:64]
    loss, grads = gradient(mx.array(cloud[some]), mx.array(labels[some]))
    optimizer.update(model, grads)
    mx.eval(loss, model.parameters(), optimizer.state)
