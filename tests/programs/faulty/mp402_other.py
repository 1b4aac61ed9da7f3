"""Train a curve fitter, write a checkpoint folder, and resume from it in a function of its own."""

import tempfile
from pathlib import Path

import mlx.core as mx
import mlx.nn as nn
import mlx.optimizers as optim
from mlx.utils import tree_flatten

mx.random.seed(31)

t = mx.linspace(-2, 2, 96)[:, None]
curve = mx.concatenate([mx.sin(2 * t), mx.cos(3 * t)], axis=1)
mx.eval(t, curve)


def build():
    model = nn.Sequential(nn.Linear(1, 32), nn.Tanh(), nn.Linear(32, 2))
    return model, optim.Adam(learning_rate=0.01)


def loss_fn(model):
    return nn.losses.mse_loss(model(t), curve)


def run_steps(model, optimizer, count):
    loss_and_grad = nn.value_and_grad(model, loss_fn)
    for _ in range(count):
        loss, grads = loss_and_grad(model)
        optimizer.update(model, grads)
        mx.eval(loss, model.parameters(), optimizer.state)
        yield loss.item()


def save(model, optimizer, folder):
    model.save_weights(str(folder / "model.safetensors"))
    mx.save_safetensors(str(folder / "optimizer.safetensors"), dict(tree_flatten(optimizer.state)))


def resume(folder):
    model, optimizer = build()
    model.load_weights(str(folder / "model.safetensors"))  # MP402
    return list(run_steps(model, optimizer, 20))


with tempfile.TemporaryDirectory() as name:
    checkpoint = Path(name)
    model, optimizer = build()
    losses = list(run_steps(model, optimizer, 30))
    save(model, optimizer, checkpoint)
    more = resume(checkpoint)

print(f"{losses[0]:.3f} -> {losses[-1]:.3f}, resumed {more[0]:.3f} -> {more[-1]:.3f}")
