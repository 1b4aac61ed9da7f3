"""A recurrent network over long series, in pieces: the state goes on, its gradient does not."""

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim

PIECE = 20


class Reader(nn.Module):
    def __init__(self):
        super().__init__()
        self.cell, self.out = nn.GRU(1, 16), nn.Linear(16, 1)

    def __call__(self, series, hidden):
        states = self.cell(series, hidden)
        return self.out(states), states[:, -1]


def loss_fn(model, x, y, hidden):
    guesses, hidden = model(x, hidden)
    return nn.losses.mse_loss(guesses, y), mx.stop_gradient(hidden)


mx.random.seed(6)
model, optimizer = Reader(), optim.Adam(learning_rate=1e-2)
loss_and_grad = nn.value_and_grad(model, loss_fn)
time = mx.arange(400)[None, :, None] * 0.1 + mx.random.uniform(0, 6, (8, 1, 1))
series = mx.sin(time)
for epoch in range(4):
    hidden = mx.zeros((8, 16))
    for k in range(0, 380, PIECE):
        (loss, hidden), grads = loss_and_grad(model, series[:, k : k + PIECE], series[:, k + 1 : k + PIECE + 1], hidden)
        optimizer.update(model, grads)
        mx.eval(model.parameters(), optimizer.state, hidden, loss)
    print(epoch, round(loss.item(), 4))
