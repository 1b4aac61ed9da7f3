"""A detector ends in a sigmoid, and its loss takes logits where it is told nothing else."""

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim

mx.random.seed(1)
detector = nn.Sequential(nn.Linear(6, 24), nn.GELU(), nn.Linear(24, 1), nn.Sigmoid())
optimizer = optim.AdamW(learning_rate=3e-3)


def loss_fn(x, y):
    return nn.losses.binary_cross_entropy(detector(x)[:, 0], y, reduction="mean")  # MP302


@mx.compile
def draw(key):
    x = mx.random.normal((48, 6), key=key)
    return x, (x[:, 0] * x[:, 1] > 0).astype(mx.float32)


gradient = nn.value_and_grad(detector, loss_fn)
for step in range(60):
    loss, grads = gradient(*draw(mx.random.key(step)))
    optimizer.update(detector, grads)
    mx.eval(detector.parameters(), optimizer.state, loss)
print(loss.item())
