"""Means over height and width, channels last and first; and over the last two axes of an attention's weights."""

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.one, self.two = nn.Conv2d(1, 8, 3, padding=1), nn.Conv2d(8, 16, 3, stride=2, padding=1)
        self.out = nn.Linear(24, 3)

    def __call__(self, x):
        first = nn.relu(self.one(x))
        second = nn.relu(self.two(first)).transpose(0, 3, 1, 2)
        near = mx.softmax(second.flatten(2) @ second.flatten(2).swapaxes(1, 2), axis=-1)[:, None]
        means = mx.concatenate([first.mean(axis=(1, 2)), second.mean(axis=(2, 3))], axis=-1)
        return self.out(means + mx.max(near, axis=(-2, -1)))


mx.random.seed(5)
model, optimizer = Net(), optim.Adam(learning_rate=2e-3)
gradient = nn.value_and_grad(model, lambda model, x, y: nn.losses.cross_entropy(model(x), y, reduction="mean"))
for _ in range(40):
    kinds = mx.random.randint(0, 3, (32,))
    waves = mx.sin((kinds + 1)[:, None, None] * mx.arange(12)[None, None] + mx.random.uniform(shape=(32, 12, 1)))
    loss, grads = gradient(model, waves[..., None], kinds)
    optimizer.update(model, grads)
    mx.eval(model.parameters(), optimizer.state, loss)
print(loss.item())
