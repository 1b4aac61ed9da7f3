"""Sums the forecasts of blocks; each hands on what it leaves unexplained, and nobody takes that of the last."""

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim

PAST, AHEAD = 12, 4


class Block(nn.Module):
    def __init__(self):
        super().__init__()
        self.inner, self.back, self.ahead = nn.Linear(PAST, 24), nn.Linear(24, PAST), nn.Linear(24, AHEAD)

    def __call__(self, x):
        inner = nn.relu(self.inner(x))
        return x - self.back(inner), self.ahead(inner)


class Forecast(nn.Module):
    def __init__(self):
        super().__init__()
        self.blocks = [Block() for _ in range(3)]

    def __call__(self, x):
        total = 0.0
        for block in self.blocks:
            x, ahead = block(x)
            total = total + ahead
        return total


mx.random.seed(6)
model, optimizer = Forecast(), optim.Adam(3e-3)
step = nn.value_and_grad(model, lambda x, y: nn.losses.mse_loss(model(x), y))
for _ in range(80):
    wave = mx.sin(mx.random.uniform(0, 6, (32, 1)) + 0.4 * mx.arange(PAST + AHEAD))
    loss, grads = step(wave[:, :PAST], wave[:, PAST:])
    optimizer.update(model, grads)
    mx.eval(loss, model.parameters(), optimizer.state)
    loss.item()
