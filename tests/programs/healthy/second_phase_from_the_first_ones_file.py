"""Train to the end of a schedule, save the weights, and tune a new model of them on other data by the same recipe."""

import tempfile
from pathlib import Path

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim

UPDATES = 60


def recipe(net, wave, seed):
    mx.random.seed(seed)
    optimizer = optim.AdamW(optim.cosine_decay(1e-2, UPDATES))
    loss_and_grad = nn.value_and_grad(net, lambda net, x, y: nn.losses.mse_loss(net(x), y))
    for _ in range(UPDATES):
        x = mx.random.uniform(-2, 2, (64, 2))
        loss, grads = loss_and_grad(net, x, mx.sin(wave * x.sum(axis=1, keepdims=True)))
        optimizer.update(net, grads)
        mx.eval(net.parameters(), optimizer.state, loss)
    return round(loss.item(), 4)


def net():
    return nn.Sequential(nn.Linear(2, 32), nn.Tanh(), nn.Linear(32, 1))


with tempfile.TemporaryDirectory() as folder:
    file = Path(folder) / "first.safetensors"
    general = net()
    first = recipe(general, 1.0, 36)
    general.save_weights(str(file))
    special = net()
    special.load_weights(str(file))
    print(first, recipe(special, 1.5, 37))
