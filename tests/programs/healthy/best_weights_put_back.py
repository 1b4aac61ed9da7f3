"""Keep the parameters of the best epoch, and go back to them; begin from a file of the first weights a second time."""

import tempfile
from pathlib import Path

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim

mx.random.seed(42)
x, y = mx.random.normal((96, 12)), mx.random.normal((96,))
y = y + x[:, 0] * x[:, 1]
model = nn.Sequential(nn.Linear(12, 64), nn.ReLU(), nn.Linear(64, 1))


def loss_fn(model, x, y):
    return nn.losses.huber_loss(model(x).squeeze(-1), y, reduction="mean")


def train(rate):
    optimizer, step = optim.AdamW(learning_rate=rate), nn.value_and_grad(model, loss_fn)
    best, kept = float("inf"), None
    for _ in range(40):
        loss, grads = step(model, x[:64], y[:64])
        optimizer.update(model, grads)
        mx.eval(loss, model.parameters(), optimizer.state)
        left_out = loss_fn(model, x[64:], y[64:]).item()
        if left_out < best:
            best, kept = left_out, model.parameters()
    model.update(kept)
    return best


with tempfile.TemporaryDirectory() as folder:
    first = str(Path(folder) / "first.safetensors")
    model.save_weights(first)
    for rate in (1e-3, 3e-3):
        model.load_weights(first)
        print(rate, round(train(rate), 3))
