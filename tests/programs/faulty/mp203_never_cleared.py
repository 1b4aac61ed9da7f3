"""Take the mean of three gradients from an accumulator that keeps them."""
# also: MP306

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim
from mlx.utils import tree_map

mx.random.seed(12)
truth = mx.random.normal((7,))


class Accumulator:
    def __init__(self, every):
        self.every, self.count, self.grads = every, 0, None

    def add(self, grads):
        share = tree_map(lambda g: g / self.every, grads)
        self.grads = share if self.grads is None else tree_map(mx.add, self.grads, share)
        mx.eval(self.grads)
        self.count += 1
        return self.count % self.every == 0

    def take(self):
        grads = self.grads
        return grads


model = nn.Sequential(nn.Linear(7, 12), nn.Tanh(), nn.Linear(12, 1))
optimizer = optim.AdamW(learning_rate=2e-3)
accumulator = Accumulator(3)
gradient = nn.value_and_grad(model, lambda x, y: nn.losses.mse_loss(model(x)[:, 0], y))
for micro in range(150):
    x = mx.random.normal((20, 7))
    loss, grads = gradient(x, x @ truth)
    if accumulator.add(grads):
        optimizer.update(model, accumulator.take())  # MP203
        mx.eval(model.parameters(), optimizer.state)
    if micro % 30 == 0:
        print(micro, loss.item())
