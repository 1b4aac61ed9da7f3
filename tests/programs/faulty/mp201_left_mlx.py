"""Tell rhythms apart by the loudest moments of what a convolution makes of them; NumPy sorts them."""

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim
import numpy as np

KINDS, LENGTH, WIDTH, BATCH = 4, 64, 12, 32


def loudest(frames, most):
    levels = np.asarray(frames)  # MP201
    return mx.array(np.sort(levels, axis=1)[:, -most:].mean(axis=1))


class Rhythms(nn.Module):
    def __init__(self):
        super().__init__()
        self.listen = nn.Conv1d(1, WIDTH, 9, stride=2)
        self.mix = nn.Linear(WIDTH, WIDTH)
        self.tell = nn.Linear(WIDTH, KINDS)

    def __call__(self, waves):
        return self.tell(loudest(self.mix(nn.relu(self.listen(waves))), 4))


def loss_fn(model, waves, kinds):
    return nn.losses.cross_entropy(model(waves), kinds, reduction="mean")


def batch(rng):
    kinds = rng.integers(0, KINDS, BATCH)
    beats = np.sin(np.arange(LENGTH) * (0.2 + 0.15 * kinds[:, None]) + rng.uniform(0, 6, (BATCH, 1)))
    return mx.array((beats + rng.normal(0, 0.3, beats.shape))[..., None].astype(np.float32)), mx.array(kinds)


mx.random.seed(4)
rng = np.random.default_rng(4)
model, optimizer = Rhythms(), optim.Adam(learning_rate=2e-3)
loss_and_grad = nn.value_and_grad(model, loss_fn)
for step in range(60):
    loss, grads = loss_and_grad(model, *batch(rng))
    optimizer.update(model, grads)
    mx.eval(model.parameters(), optimizer.state)
print(f"loss {loss.item():.3f}")
