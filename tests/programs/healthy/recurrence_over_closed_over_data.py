"""A recurrent cell by hand over three hundred moments of a series that the loss takes from around it."""

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim

MOMENTS, UNITS = 300, 16


class Cell(nn.Module):
    def __init__(self):
        super().__init__()
        self.into, self.over, self.out = nn.Linear(1, UNITS), nn.Linear(UNITS, UNITS), nn.Linear(UNITS, 1)
        self.gate = nn.Linear(UNITS, UNITS)

    def __call__(self, series):
        hidden = mx.zeros((series.shape[0], UNITS))
        for moment in range(series.shape[1]):
            fresh = mx.tanh(self.into(series[:, moment]) + self.over(hidden))
            share = mx.sigmoid(self.gate(hidden) + 2.0 * fresh - 0.1 * fresh * fresh)
            hidden = share * hidden + (1 - share) * fresh - 0.001 * hidden * hidden
        return self.out(hidden)[:, 0]


mx.random.seed(3)
series = 0.1 * mx.cumsum(mx.random.normal((8, MOMENTS, 1)), axis=1)
wanted = series[:, -20:, 0].mean(axis=1)
mx.eval(series, wanted)
model, optimizer = Cell(), optim.Adam(learning_rate=3e-3)
gradient = nn.value_and_grad(model, lambda: nn.losses.mse_loss(model(series), wanted))
for turn in range(8):
    loss, grads = gradient()
    optimizer.update(model, grads)
    mx.eval(model.parameters(), optimizer.state, loss)
print(loss.item())
