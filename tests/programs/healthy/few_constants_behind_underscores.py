"""Small tables that are meant to stay: means and deviations of channels, a wavelet, a rotation."""

import math

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim


class Normalised(nn.Module):
    def __init__(self):
        super().__init__()
        self._mean = mx.array([0.485, 0.456, 0.406])
        self._deviation = mx.array([0.229, 0.224, 0.225])
        self._wavelet = mx.array([0.4829629, 0.8365163, 0.2241439, -0.1294095])
        turn = 0.7
        self._turn = mx.array([[math.cos(turn), -math.sin(turn)], [math.sin(turn), math.cos(turn)]])
        self.into, self.out = nn.Linear(2, 24), nn.Linear(24, 3)

    def __call__(self, x):
        x = (x - self._mean) / self._deviation
        low = mx.conv_general(x, mx.repeat(self._wavelet[None, :, None], 3, axis=0), groups=3)
        planes = mx.stack([low.mean(axis=(1, 2)), low.max(axis=(1, 2))], axis=-1) @ self._turn
        return self.out(nn.relu(self.into(planes)))


def loss_fn(model, x, y):
    return nn.losses.cross_entropy(model(x), y, reduction="mean")


mx.random.seed(8)
model, optimizer = Normalised(), optim.Adam(learning_rate=1e-2)
gradient = nn.value_and_grad(model, loss_fn)
for step in range(60):
    y = mx.random.randint(0, 3, (32,))
    x = mx.random.uniform(shape=(32, 12, 3)) + 0.3 * y[:, None, None]
    loss, grads = gradient(model, x, y)
    optimizer.update(model, grads)
    mx.eval(model.parameters(), optimizer.state, loss)
print(loss.item())
