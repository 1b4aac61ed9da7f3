"""Adds low-rank adapters to a linear classifier and tunes them on new labels."""

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim


class Adapted(nn.Module):
    def __init__(self, linear, rank=2):
        super().__init__()
        inputs, outputs = linear.weight.shape[1], linear.weight.shape[0]
        self.linear = linear
        self.down = mx.random.normal((inputs, rank)) * 0.1
        self.up = mx.zeros((rank, outputs))

    def __call__(self, x):
        return self.linear(x) + x @ self.down @ self.up


mx.random.seed(20)
base = nn.Sequential(nn.Linear(12, 24), nn.ReLU(), nn.Linear(24, 3))
base.layers[0] = Adapted(base.layers[0])
base.layers[2] = Adapted(base.layers[2])
base.freeze()  # MP206

optimizer = optim.AdamW(learning_rate=1e-2)
loss_and_grad = nn.value_and_grad(base, lambda x, y: nn.losses.cross_entropy(base(x), y, reduction="mean"))
x = mx.random.normal((30, 32, 12))
y = mx.argmax(x[..., :3], axis=-1)
for inputs, labels in zip(x, y, strict=True):
    loss, grads = loss_and_grad(inputs, labels)
    optimizer.update(base, grads)
    mx.eval(loss, base.parameters(), optimizer.state)
