"""Dropout and batch normalisation whose modes agree, an initial state of zeros beside labels, and plain reshapes."""

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim


class Net(nn.Module):
    def __init__(self, width=32):
        super().__init__()
        self.first, self.norm, self.drop = nn.Linear(6, width), nn.BatchNorm(width), nn.Dropout(0.5)
        self.rnn, self.last = nn.GRU(width, width), nn.Linear(width, 3)

    def __call__(self, x, start):
        rows, length, _ = x.shape
        x = self.norm(nn.relu(self.first(x.reshape(rows * length, -1)))).reshape(rows, length, -1)
        x = x.reshape(rows, 2, length // 2, -1).reshape(rows, length, -1)
        return self.last(self.drop(self.rnn(x, start)[:, -1]))


mx.random.seed(0)
model, optimizer = Net(), optim.Adam(3e-3)
loss_and_grad = nn.value_and_grad(
    model, lambda x, start, y: nn.losses.cross_entropy(model(x, start), y, reduction="mean")
)
for _ in range(270):
    x = 3 + mx.random.normal((24, 8, 6))
    y = (x[:, -1, 0] > 3).astype(mx.int32) + (x[:, -2, 1] > 3)
    loss, grads = loss_and_grad(x, mx.zeros((24, 32)), y)
    optimizer.update(model, grads)
    mx.eval(loss, model.state, optimizer.state)
    loss.item()
