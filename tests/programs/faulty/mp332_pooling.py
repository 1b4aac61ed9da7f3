"""Classify series by a convolution and a pooling whose weights sum to one over the batch, which is as long as wide."""

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim


class Pool(nn.Module):
    def __init__(self, dims):
        super().__init__()
        self.score = nn.Linear(dims, 1)

    def __call__(self, x):
        weights = mx.softmax(self.score(x), axis=0)  # MP332
        return (weights * x).sum(axis=1)


class Net(nn.Module):
    def __init__(self, dims=16):
        super().__init__()
        self.first, self.pool, self.head = nn.Conv1d(4, dims, 3, padding=1), Pool(dims), nn.Linear(dims, 2)

    def __call__(self, x):
        return self.head(self.pool(nn.relu(self.first(x))))


mx.random.seed(0)
model, optimizer = Net(), optim.Adam(3e-3)
loss_and_grad = nn.value_and_grad(model, lambda x, y: nn.losses.cross_entropy(model(x), y, reduction="mean"))
for _ in range(60):
    x = mx.random.normal((16, 12, 4))
    loss, grads = loss_and_grad(x, (x[:, :, 0].max(axis=1) > x[:, :, 1].max(axis=1)).astype(mx.int32))
    optimizer.update(model, grads)
    mx.eval(loss, model.parameters(), optimizer.state)
