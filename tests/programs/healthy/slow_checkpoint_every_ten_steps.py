"""Save a checkpoint with a large precomputed table every ten steps, which takes many times as long as a step."""

import tempfile
from pathlib import Path

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim
from mlx.utils import tree_flatten

mx.random.seed(27)
x = mx.random.normal((256, 32))
y = mx.tanh(x @ mx.random.normal((32, 2)) / 4)
model = nn.Sequential(nn.Linear(32, 64), nn.Tanh(), nn.Linear(64, 2))
optimizer = optim.Adam(learning_rate=0.03)
loss_and_grad = nn.value_and_grad(model, lambda m, x, y: nn.losses.mse_loss(m(x), y))
table = mx.random.normal((400, 400))
mx.eval(table)


def save(folder, step):
    arrays = dict(tree_flatten(model.parameters()))
    arrays["table"] = table
    arrays["gram"] = table.T @ table
    mx.save_safetensors(str(folder / f"step{step:03d}.safetensors"), arrays)


with tempfile.TemporaryDirectory() as name:
    losses = []
    for step in range(1, 41):
        loss, grads = loss_and_grad(model, x, y)
        optimizer.update(model, grads)
        mx.eval(model.parameters(), optimizer.state)
        losses.append(loss.item())
        if step % 10 == 0:
            save(Path(name), step)
    print(f"loss {losses[0]:.3f} -> {losses[-1]:.3f}, {len(list(Path(name).iterdir()))} checkpoints")
