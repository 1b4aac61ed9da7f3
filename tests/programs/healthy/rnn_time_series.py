"""Forecast the next value of sine waves with a plain RNN that reads windows of the series."""

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim
import numpy as np

WINDOW = 10


class Forecaster(nn.Module):
    def __init__(self, hidden=16):
        super().__init__()
        self.rnn = nn.RNN(1, hidden)
        self.out = nn.Linear(hidden, 1)

    def __call__(self, series):
        return self.out(self.rnn(series)[:, -1])


def windows(rng, count=48):
    phase = rng.uniform(0, 2 * np.pi, (count, 1))
    time = 0.4 * np.arange(WINDOW + 1)
    wave = np.sin(phase + time).astype(np.float32)
    return mx.array(wave[:, :-1, None]), mx.array(wave[:, -1:])


def main():
    rng = np.random.default_rng(54)
    mx.random.seed(54)
    model = Forecaster()
    optimizer = optim.RMSprop(learning_rate=0.005)
    loss_and_grad = nn.value_and_grad(model, lambda m, x, y: nn.losses.mse_loss(m(x), y))
    losses = []
    for _ in range(35):
        loss, grads = loss_and_grad(model, *windows(rng))
        optimizer.update(model, grads)
        mx.eval(model.parameters(), optimizer.state)
        losses.append(loss.item())
    print(f"loss {losses[0]:.3f} -> {losses[-1]:.3f}")


if __name__ == "__main__":
    main()
